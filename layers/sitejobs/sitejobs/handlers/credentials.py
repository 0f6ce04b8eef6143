"""A function's login to the database: a secret, or a token of IAM. Clients are made when first needed."""

from functools import lru_cache
from typing import Any

from sitejobs.aws_codes import BUSY, code_of
from sitejobs.errors import InvalidInput, Transient


def read_secret(arn: str) -> str:
    """The text of a secret.

    Raises
    ------
    InvalidInput : it cannot be read.
    Transient : it cannot be read now.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    # In a VPC without a way to Secrets Manager it fails within any function's time limit, and says so.
    patience = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
    try:
        return str(boto3.client("secretsmanager", config=patience).get_secret_value(SecretId=arn)["SecretString"])
    except ClientError as error:
        code = code_of(error)
        if code in BUSY:
            raise Transient(f"the database secret: {code}") from None
        raise InvalidInput(f"the database secret {arn} cannot be read: {code}") from None
    except BotoCoreError as error:
        raise Transient(f"the database secret: {type(error).__name__}") from None


def sign_token(host: str, port: int, user: str) -> str:
    """A token of IAM for one login, signed with the function's own credentials, without a call to AWS.

    Raises
    ------
    InvalidInput : there are no credentials to sign with.
    """
    from botocore.exceptions import BotoCoreError

    try:
        return str(_rds_client().generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user))
    except BotoCoreError as error:
        raise InvalidInput(f"no token for the database can be signed: {type(error).__name__}") from None


@lru_cache(maxsize=1)
def _rds_client() -> Any:
    import boto3

    return boto3.client("rds")

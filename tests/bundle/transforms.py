"""What CloudFormation makes of the template: both transforms, as the sam wheel ships them, on a packaged one."""

import json
import subprocess
from collections.abc import Mapping

from sitejobs.aliases import JsonObject
from tests.bundle.resources import TEMPLATE
from tools.bundle import sam_environment

# It runs in SAM's own environment. CloudFormation's AWS::LanguageExtensions puts the values of parameters in, as this
# one does, before AWS::Serverless works.
_PROGRAM = """
import json, sys
from boto3 import Session
from samcli.lib.cfn_language_extensions.sam_integration import expand_language_extensions
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

given = json.load(sys.stdin)
template = yaml_parse(open(given["template"]).read())
pseudo = {"AWS::Region": "us-east-1", "AWS::AccountId": "1", "AWS::StackName": "site", "AWS::Partition": "aws"}
values = {name: entry.get("Default") for name, entry in template["Parameters"].items()} | given["parameters"] | pseudo
document = expand_language_extensions(template, values, enabled=True).expanded_template
for name, resource in document["Resources"].items():
    for place in ("CodeUri", "ContentUri", "DefinitionUri"):
        if place in resource.get("Properties", {}):
            content = given["contents"].get(name, "1")
            resource["Properties"][place] = f"s3://packaged/{place}-{name if place != 'CodeUri' else ''}-{content}"
translator = Translator(managed_policy_map={}, sam_parser=Parser(), boto_session=Session(region_name="us-east-1"))
json.dump(translator.translate(document, values, get_managed_policy_map=dict), sys.stdout)
"""


def transformed(parameters: Mapping[str, str] | None = None, contents: Mapping[str, str] | None = None) -> JsonObject:
    """The resources that CloudFormation would make, by logical id.

    Parameters
    ----------
    parameters : values given when deploying.
    contents : by logical id what stands for the content of a layer, where it is not the first.
    """
    sam = sam_environment() / "python"
    given = {"template": str(TEMPLATE), "parameters": dict(parameters or {}), "contents": dict(contents or {})}
    done = subprocess.run([sam, "-c", _PROGRAM], input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    resources: JsonObject = json.loads(done.stdout)["Resources"]
    return resources

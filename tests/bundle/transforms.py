"""What CloudFormation makes of the template: both transforms, as the sam wheel ships them, on a packaged one."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

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

def resources(parameters, contents):
    template = yaml_parse(open(given["template"]).read())
    defaults = {name: entry.get("Default") for name, entry in template["Parameters"].items()}
    values = defaults | parameters | PSEUDO
    document = expand_language_extensions(template, values, enabled=True).expanded_template
    for name, resource in document["Resources"].items():
        for place in ("CodeUri", "ContentUri", "DefinitionUri"):
            if place in resource.get("Properties", {}):
                content = contents.get(name, "1")
                resource["Properties"][place] = f"s3://packaged/{place}-{name if place != 'CodeUri' else ''}-{content}"
    translator = Translator(managed_policy_map={}, sam_parser=Parser(), boto_session=Session(region_name="us-east-1"))
    return translator.translate(document, values, get_managed_policy_map=dict)["Resources"]

PSEUDO = {"AWS::Region": "us-east-1", "AWS::AccountId": "1", "AWS::StackName": "site", "AWS::Partition": "aws"}
given = json.load(sys.stdin)
json.dump([resources(**deployment) for deployment in given["deployments"]], sys.stdout)
"""


@dataclass(frozen=True)
class Deployment:
    """One deployment of the template.

    Attributes
    ----------
    parameters : values given.
    contents : by logical id what stands for the content of a layer, where it is not the first.
    """

    parameters: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)


def transformed(*deployments: Deployment) -> list[JsonObject]:
    """The resources that CloudFormation would make of each, by logical id. SAM is started once: it imports for long."""
    sam = sam_environment() / "python"
    given = {"template": str(TEMPLATE), "deployments": [asdict(each) for each in deployments]}
    done = subprocess.run([sam, "-c", _PROGRAM], input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    resources: list[JsonObject] = json.loads(done.stdout)
    return resources

"""Owns `celsched schema`. The schema itself belongs to the manifest."""

import json

import typer

from celsched.cli.context import CliContext
from celsched.manifest.schema import manifest_schema


def schema(ctx: typer.Context) -> None:
    """Print the JSON Schema of manifests.

    Save it beside a manifest and begin that with: # yaml-language-server: $schema=./celsched.schema.json
    """
    CliContext.of(ctx).print(json.dumps(manifest_schema(), ensure_ascii=False, indent=2))

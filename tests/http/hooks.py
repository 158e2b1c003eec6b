"""What schemathesis has to know to get past the first check of a route: ids that exist, and how bytes are sent.

SURETY_IDS is a JSON object: the name of a parameter of a path or query, to the values of it that a running network knows.
"""

import json
import os

import schemathesis
from hypothesis import strategies as st

IDS = json.loads(os.environ.get("SURETY_IDS", "{}"))


@schemathesis.serializer("application/cbor", "application/octet-stream")
def as_it_is(ctx, value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def known(parameters):
    """The parameters as they were made up, or some of them known to the network."""
    if not parameters:
        return st.just(parameters)
    choices = {
        name: st.just(value) | st.sampled_from(IDS[name]) if name in IDS else st.just(value)
        for name, value in parameters.items()
    }
    return st.fixed_dictionaries(choices)


@schemathesis.hook
def flatmap_path_parameters(ctx, path_parameters):
    return known(path_parameters)


@schemathesis.hook
def flatmap_query(ctx, query):
    return known(query)

"""What schemathesis has to know to get past the first check of a route: ids and items of a running network, and how bytes are sent.

SURETY_IDS is a JSON object, the name of a parameter to values of it that the network knows. SURETY_ITEMS is a JSON array of signed
items in base64url.
"""

import base64
import json
import os

import schemathesis
from hypothesis import strategies as st

IDS = json.loads(os.environ["SURETY_IDS"])
ITEMS = [base64.urlsafe_b64decode(text + "==") for text in json.loads(os.environ["SURETY_ITEMS"])]


@schemathesis.serializer("application/cbor", "application/octet-stream")
def as_it_is(ctx, value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def known(parameters):
    """The parameters as they were made up, or some of them known to the network."""
    if not isinstance(parameters, dict):
        return st.just(parameters)
    return st.fixed_dictionaries({
        name: st.just(value) | st.sampled_from(IDS[name]) if name in IDS else st.just(value)
        for name, value in parameters.items()
    })


@st.composite
def altered(draw):
    """An item of which a byte is another, or the end is missing, or nothing is."""
    item = bytearray(draw(st.sampled_from(ITEMS)))
    if draw(st.booleans()):
        return bytes(item)
    at = draw(st.integers(0, len(item) - 1))
    if draw(st.booleans()):
        return bytes(item[:at])
    item[at] ^= draw(st.integers(1, 255))
    return bytes(item)


@schemathesis.hook
def flatmap_path_parameters(ctx, path_parameters):
    return known(path_parameters)


@schemathesis.hook
def flatmap_query(ctx, query):
    return known(query)


@schemathesis.hook
def flatmap_body(ctx, body):
    return st.just(body) | altered() if isinstance(body, bytes) else st.just(body)

"""Rows that come in chunks."""

from __future__ import annotations

import pytest
import torch

from talkingface.models.fom.renderer import FIRST, RowBuffer
from talkingface.weights.load import fingerprint


@pytest.mark.parametrize("chunk", [1, 3, 300])
def test_all_rows_are_kept_in_order(chunk):
    wanted = torch.arange((2 * FIRST + 7) * 2.0).view(-1, 2)
    rows = RowBuffer()
    for part in wanted.split(chunk):
        rows.append(part)
    assert torch.equal(rows.tensor(), wanted)


def test_what_is_given_out_does_not_change_later():
    rows = RowBuffer()
    rows.append(torch.ones(2))
    given = rows.tensor()
    rows.append(torch.zeros(1))
    assert given.tolist() == [1, 1] and rows.tensor().tolist() == [1, 1, 0]


def test_fingerprint_is_that_of_the_numbers():
    torch.manual_seed(0)
    one, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    assert fingerprint(one) != fingerprint(other)
    other.load_state_dict(one.state_dict())
    assert fingerprint(one) == fingerprint(other) == fingerprint(one)
    with torch.no_grad():
        other.bias[0] += 1e-6
    assert fingerprint(one) != fingerprint(other)

# SPDX-License-Identifier: MIT
"""The client against a kernel that answers as real ones do, and as badly as they can."""

from __future__ import annotations

import errno

import pytest

from hwinfod.errors import NotProvided, ParseError, ReadError
from hwinfod.sources.nldev.client import Client, Interrupted
from hwinfod.sources.nldev.enums import COMMAND, message_type
from hwinfod.sources.nldev.messages import ReplyTooBig
from tests.support.netlink import INTERRUPTED, MULTI, Kernel, device, done, error, reply

QP = COMMAND["RES_QP_GET"]
STAT = COMMAND["STAT_GET"]


def client_of(*answers):
    """A client whose questions get these answers, one list of datagrams (or errors) each, in turn."""
    turns = iter(answers)
    kernel = Kernel(lambda request, sequence: [make(sequence) if callable(make) else make for make in next(turns)])
    return Client(kernel), kernel


def one(payload=b"1234", **more):
    return lambda sequence: reply("STAT_GET", payload, sequence=sequence, **more)


def part(payload, flags=0):
    return lambda sequence: reply("RES_QP_GET", payload, sequence=sequence, flags=MULTI | flags)


def end(status=0, flags=0):
    return lambda sequence: done(sequence, status, flags)


def refused(number):
    return lambda sequence: error(number, bytes(16), sequence)


def stale(sequence=4_000_000):
    return reply("STAT_GET", b"old!", sequence=sequence)


def test_a_question_is_sent_as_the_kernel_wants_it():
    client, kernel = client_of([one()])
    assert client.ask(STAT, (1, 0), (3, 1)) == b"1234"
    (request,) = kernel.requests
    assert request.type == message_type(17)
    assert request.flags == 1  # NLM_F_REQUEST; any bit of NLM_F_DUMP would make it a dump
    assert request.payload == bytes.fromhex("08000100000000000800030001000000")


def test_questions_have_different_sequences():
    client, kernel = client_of([one()], [one()])
    client.ask(STAT)
    client.ask(STAT)
    assert len({request.sequence for request in kernel.requests}) == 2
    assert 0 not in {request.sequence for request in kernel.requests}  # notifications have 0


def test_an_answer_may_carry_another_type():
    client, _ = client_of([lambda sequence: reply("GET", b"1234", sequence=sequence)])
    assert client.ask(COMMAND["PORT_GET"]) == b"1234"  # the reply to a single PORT_GET says GET


def test_late_answers_to_older_questions_are_skipped():
    client, _ = client_of([stale(), lambda sequence: stale() + reply("STAT_GET", b"new!", sequence=sequence)])
    assert client.ask(STAT) == b"new!"


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EINVAL, NotProvided), (errno.EMSGSIZE, ReplyTooBig), (errno.EIO, ReadError)]
)
def test_a_refusal_has_the_kernels_errno(number, kind):
    client, _ = client_of([refused(number)])
    with pytest.raises(kind) as caught:
        client.ask(STAT)
    assert caught.value.errno == number


def test_an_acknowledgement_alone_is_no_answer():
    client, _ = client_of([refused(0)])
    with pytest.raises(ReadError) as caught:
        client.ask(STAT)
    assert caught.value.errno == errno.ENODATA


def test_an_end_alone_is_no_answer():
    client, _ = client_of([end()], [end()], [end()])
    with pytest.raises(ReadError) as caught:
        client.ask(STAT)
    assert caught.value.errno == errno.EPROTO


def test_silence_ends():
    client, _ = client_of([])
    with pytest.raises(ReadError) as caught:
        client.ask(STAT)
    assert caught.value.errno == errno.ETIMEDOUT


def test_strangers_without_end_end():
    client, _ = client_of([stale()] * 10_001)
    with pytest.raises(ReadError) as caught:
        client.ask(STAT)
    assert caught.value.errno == errno.EPROTO


def test_a_question_whose_answer_overran_the_socket_is_asked_again():
    client, kernel = client_of([OSError(errno.ENOBUFS, "")], [one()])
    assert client.ask(STAT) == b"1234"
    assert len(kernel.requests) == 2
    client, _ = client_of(*[[OSError(errno.ENOBUFS, "")]] * 3)
    with pytest.raises(Interrupted):
        client.ask(STAT)


def test_a_frame_that_breaks_is_a_parse_error():
    client, _ = client_of([b"\x01\x02\x03"])
    with pytest.raises(ParseError):
        client.ask(STAT)


def test_a_dump_is_all_its_parts():
    client, kernel = client_of([part(b"1111"), part(b"2222"), end()])
    assert client.dump(QP, (1, 0)) == [b"1111", b"2222"]
    assert kernel.requests[0].flags == 0x301


def test_a_dump_in_one_datagram():
    client, _ = client_of([lambda s: part(b"1111")(s) + part(b"2222")(s) + done(s)])
    assert client.dump(QP) == [b"1111", b"2222"]


def test_a_dump_that_never_started_says_so_at_its_end():
    client, _ = client_of([end(errno.EINVAL)])
    with pytest.raises(NotProvided) as caught:
        client.dump(STAT)
    assert caught.value.errno == errno.EINVAL


def test_a_dump_refused_at_once():
    client, _ = client_of([refused(errno.EBUSY)])
    with pytest.raises(ReadError) as caught:
        client.dump(QP)
    assert caught.value.errno == errno.EBUSY


@pytest.mark.parametrize("where", ["part", "end"])
def test_a_list_that_changed_is_read_again(where):
    changed = [part(b"old.", INTERRUPTED), end()] if where == "part" else [part(b"old."), end(flags=INTERRUPTED)]
    client, kernel = client_of(changed, [part(b"new."), end()])
    assert client.dump(QP) == [b"new."]
    assert len(kernel.requests) == 2


def test_a_list_that_always_changes_is_given_up():
    client, kernel = client_of(*[[part(b"1234", INTERRUPTED), end()]] * 3)
    with pytest.raises(Interrupted) as caught:
        client.dump(QP)
    assert caught.value.errno == errno.EINTR
    assert len(kernel.requests) == 3


def test_a_dump_that_overran_the_socket_is_drained_and_read_again():
    client, kernel = client_of(
        [part(b"1111"), OSError(errno.ENOBUFS, ""), part(b"3333"), end()], [part(b"1111"), part(b"2222"), end()]
    )
    assert client.dump(QP) == [b"1111", b"2222"]
    assert len(kernel.requests) == 2


def test_a_dump_is_read_in_steps():
    client, _ = client_of([part(b"1111"), part(b"2222"), end()])
    steps = client.iter_dump(QP)
    assert next(steps) == b"1111"
    assert next(steps) == b"2222"
    assert list(steps) == []


def test_a_dump_left_early_is_finished_before_the_next():
    # The kernel runs one dump a socket and refuses a second one with EBUSY until the first is read to its end.
    client, kernel = client_of([part(b"1111"), part(b"2222"), end()], [part(b"3333"), end()])
    steps = client.iter_dump(QP)
    next(steps)
    steps.close()
    assert client.dump(QP) == [b"3333"]
    assert len(kernel.requests) == 2


def test_send_errors_are_read_errors_too():
    class Dead(Kernel):
        def send(self, data):
            raise OSError(errno.EPERM, "")

    with pytest.raises(ReadError) as caught:
        Client(Dead(lambda request, sequence: [])).ask(STAT)
    assert caught.value.errno == errno.EPERM


def test_close_closes_the_transport():
    client, kernel = client_of()
    client.close()
    assert kernel.closed


def test_the_kernel_of_these_tests_takes_real_payloads():
    client, _ = client_of([lambda sequence: reply("GET", device(0, "rxe0"), sequence=sequence)])
    assert client.ask(COMMAND["GET"], (1, 0)) == device(0, "rxe0")

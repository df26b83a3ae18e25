# SPDX-License-Identifier: MIT
"""Asking RDMA_NL_NLDEV: one question and its answer, and dumps of many messages.

The kernel numbers every answer with the question's sequence; what belongs to an older question, one that
timed out or was given up, is skipped. No command used here changes anything or needs a capability.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Protocol

from hwinfod.errors import ReadError, from_os_error
from hwinfod.sources.nldev import messages
from hwinfod.sources.nldev.enums import COMMANDS, message_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hwinfod.sources.nldev.messages import Message

_TRIES = 3
_STRANGER_LIMIT = 10_000  # datagrams of older questions to wade through; 100,000 queue pairs fill 300


class Transport(Protocol):
    """What carries datagrams. Both ways raise OSError; `receive` ends with ETIMEDOUT."""

    def send(self, data: bytes) -> None: ...
    def receive(self) -> bytes: ...
    def close(self) -> None: ...


class Interrupted(ReadError):
    """The answer is incomplete: the list changed while it was read (EINTR), or overran the socket (ENOBUFS)."""


class Client:
    """Questions over one transport, one at a time. Not for use by two threads."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._sequence = 0
        self._open_dump = 0  # sequence of a dump left before its end: the kernel refuses another until then

    def close(self) -> None:
        self._transport.close()

    def ask(self, command: int, *attributes: tuple[int, int]) -> bytes:
        """The attributes of the one reply. Raises a ReadError with the kernel's errno (ReplyTooBig and
        Interrupted among them) or ParseError.

        Sent without NLM_F_ACK: a refusal comes in any case, and a reply needs no second message to say so.
        """
        question = f"rdma netlink {COMMANDS[command]}"
        for attempt in range(_TRIES):
            sequence = self._send(command, 0, attributes, question)
            try:
                message = next(self._answers(sequence, question))
            except Interrupted:
                if attempt == _TRIES - 1:
                    raise
                continue
            if message.type == messages.NLMSG_ERROR:
                number = messages.parse_status(message.payload)
                raise messages.refusal(number or errno.ENODATA, question)
            if message.type != messages.NLMSG_DONE:
                return message.payload
        raise ReadError(question, errno.EPROTO)

    def dump(self, command: int, *attributes: tuple[int, int]) -> list[bytes]:
        """The attributes of every reply, asked again up to three times when the answer was incomplete.
        Raises as `ask`."""
        for _ in range(_TRIES - 1):
            try:
                return list(self.iter_dump(command, *attributes))
            except Interrupted:
                pass
        return list(self.iter_dump(command, *attributes))

    def iter_dump(self, command: int, *attributes: tuple[int, int]) -> Iterator[bytes]:
        """As `dump`, but one reply at a time and no second attempt: the kernel makes the next part when this
        one is taken, so that a long list can be read in steps, over seconds. Ask nothing else on this client
        until it has ended or is closed. Raises Interrupted at its end where the list changed meanwhile.
        """
        question = f"rdma netlink {COMMANDS[command]}"
        self._finish_open_dump(question)
        sequence = self._send(command, messages.NLM_F_DUMP, attributes, question)
        self._open_dump = sequence
        interrupted = False
        for message in self._answers(sequence, question):
            interrupted = interrupted or bool(message.flags & messages.NLM_F_DUMP_INTR)
            if message.type not in (messages.NLMSG_DONE, messages.NLMSG_ERROR):
                yield message.payload
                continue
            self._open_dump = 0
            number = messages.parse_status(message.payload)
            if number:
                raise messages.refusal(number, question)
            if interrupted:
                raise Interrupted(question, errno.EINTR)
            return

    def _finish_open_dump(self, question: str) -> None:
        if self._open_dump:
            for message in self._answers(self._open_dump, question):
                if message.type in (messages.NLMSG_DONE, messages.NLMSG_ERROR):
                    break
            self._open_dump = 0

    def _send(self, command: int, flags: int, attributes: tuple[tuple[int, int], ...], question: str) -> int:
        self._sequence = sequence = self._sequence % 0xFFFFFFFF + 1
        try:
            self._transport.send(messages.build_request(message_type(command), flags, sequence, attributes))
        except OSError as error:
            raise from_os_error(error, question) from None
        return sequence

    def _answers(self, sequence: int, question: str) -> Iterator[Message]:
        """The messages of our sequence, without end: who asked knows when the answer is whole."""
        strangers = 0
        while strangers < _STRANGER_LIMIT:
            try:
                data = self._transport.receive()
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    raise Interrupted(question, errno.ENOBUFS) from None
                raise from_os_error(error, question) from None
            strangers += 1
            for message in messages.iter_messages(data):
                if message.sequence == sequence and message.type != messages.NLMSG_NOOP:
                    strangers = 0
                    yield message
        raise ReadError(question, errno.EPROTO)

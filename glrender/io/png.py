"""PNG files, deflated by a compiled loop in less than a fifth of the time that zlib's quickest level takes.

Each row is stored as the differences to the pixel on its left. What deflate (RFC 1951) may do beyond that, searching
for what came before, is left out but for repetitions of one byte: a rendered image has few others that a search would
find, and the search is what takes the time. Bytes are looked at eight at a time, and so repetitions count by eights.
Codes are Huffman's for the image at hand. The same pixels give the same bytes on any machine. bench/NOTES.md has what
else was tried.
"""

import struct
import zlib
from itertools import chain
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.io.png_decoder import PNG_SIGNATURE

Bytes = NDArray[np.uint8]
Octets = NDArray[np.uint64]
Integers = NDArray[np.int64]
Whole = int | np.int64

_GREY, _RGB = 0, 2
_LEFT = 1
"""PNG's filter type 1: less the pixel on the left."""

_END = 256
"""Deflate's symbol for the end of the data; below it are the bytes themselves, above it lengths of repetitions."""
_SYMBOLS = 286
_LONGEST_CODE = 15
_LONGEST_RUN = 258
_OCTET = 8
"""Bytes that are looked at together, the first of them lowest."""
_SAMPLE = 512
"""Octets in a row that are counted."""


def png_bytes(pixels: NDArray[Any]) -> bytes:
    """The file of an image (height, width, 1 or 3) or (height, width) of uint8 or uint16; red first."""
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.dtype not in (np.uint8, np.uint16) or channels not in (1, 3) or pixels.size == 0:
        raise InputError(
            f"png: received {pixels.dtype} of shape {pixels.shape}, expected uint8 or uint16, 1 or 3 channels"
        )
    big_endian = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))
    step = channels * pixels.dtype.itemsize
    rows = _differences(big_endian.view(np.uint8).reshape(height, width * step), step)
    header = struct.pack(
        ">IIBBBBB", width, height, 8 * pixels.dtype.itemsize, _RGB if channels == 3 else _GREY, 0, 0, 0
    )
    stream = b"\x78\x01", _deflate(rows).data, struct.pack(">I", _adler32(rows))
    chunks = _chunk(b"IHDR", header), _chunk(b"IDAT", *stream), _chunk(b"IEND")
    return b"".join((PNG_SIGNATURE, *chain(*chunks)))  # copied once


def _chunk(kind: bytes, *contents: bytes | memoryview) -> tuple[bytes | memoryview, ...]:
    """The pieces of a chunk."""
    checksum = zlib.crc32(kind)
    for content in contents:
        checksum = zlib.crc32(content, checksum)
    return struct.pack(">I", sum(map(len, contents))), kind, *contents, struct.pack(">I", checksum)


def _differences(pixels: Bytes, step: int) -> Bytes:
    """Rows of pixels as PNG filters them, one after the other, each with its filter's type before it."""
    height, width = pixels.shape
    result = np.empty((height, width + 1), np.uint8)
    result[:, 0] = _LEFT
    result[:, 1 : 1 + step] = pixels[:, :step]
    np.subtract(pixels[:, step:], pixels[:, :-step], out=result[:, 1 + step :])
    return result.reshape(-1)


_MODULUS = 65521
_WEIGHTS = np.arange(5552, 0, -1, dtype=np.int16)
"""How often Adler-32 counts each byte of a block; a longer one's sum might not fit into 32 bits."""


@njit(cache=True, nogil=True)
def _adler32(data: Bytes) -> Whole:
    """The checksum of RFC 1950, in a quarter of zlib's time: these narrow products become vector instructions."""
    low: Whole = 1
    high: Whole = 0
    for start in range(0, len(data), len(_WEIGHTS)):
        block = data[start : start + len(_WEIGHTS)]
        last = _WEIGHTS[len(_WEIGHTS) - len(block) :]
        total, weighted = np.uint32(0), np.uint32(0)
        for k in range(len(block)):
            total = np.uint32(total + np.uint32(block[k]))
            weighted = np.uint32(weighted + np.uint32(np.int32(block[k]) * np.int32(last[k])))
        high = (high + len(block) * low + np.int64(weighted)) % _MODULUS
        low = (low + np.int64(total)) % _MODULUS
    return high << 16 | low


def _run_symbols() -> tuple[Integers, Integers, Integers]:
    """Of each length of a repetition, 0 to 258: its symbol, the bits that follow it, and how many these are."""
    symbols, rests, bits = (np.zeros(_LONGEST_RUN + 1, np.int64) for _ in range(3))
    length, symbol = 3, _END + 1
    while length < _LONGEST_RUN:
        extra = max((symbol - 261) // 4, 0)
        for rest in range(1 << extra):
            symbols[length], rests[length], bits[length] = symbol, rest, extra
            length += 1
        symbol += 1
    symbols[_LONGEST_RUN], rests[_LONGEST_RUN], bits[_LONGEST_RUN] = 285, 0, 0
    return symbols, rests, bits


_RUN_SYMBOL, _RUN_REST, _RUN_BITS = _run_symbols()

_MOST = _LONGEST_RUN // _OCTET
"""Octets that one repetition stands for, at most."""
_ALIKE = np.uint64(0x0101010101010101)
"""Times a byte: the octet of that byte alone."""
_NO_BYTE = np.uint64(256)
"""Times _ALIKE: an octet whose bytes differ, whatever comes."""
_BYTE, _PAIR = np.uint64(0xFF), np.uint64(0xFFFF)
_BITS = np.uint64(6)
"""Bits that say how long a code is."""
_MOST_BITS = np.uint64(63)
"""Bits that are appended together, at most; also what is left of a number that ends in a code's length."""


def _deflate(data: Bytes) -> Bytes:
    """One block with codes of its own."""
    octets = data[: len(data) // _OCTET * _OCTET].view(np.uint64)
    counts = _sampled_counts(octets)
    # Sorted here, as compiling a sort takes as long as compiling half of the rest.
    lengths = _code_lengths(counts, np.argsort(counts, kind="stable"))
    words = np.empty(len(data) // 4 + 256, np.uint64)  # 15 bits for each byte, if all were of the rarest kind
    return words.view(np.uint8)[: _write_block(data, octets, lengths, _codes(lengths), words)]


@njit(cache=True, nogil=True)
def _write_block(data: Bytes, octets: Octets, lengths: Octets, codes: Octets, words: Octets) -> Whole:
    """Write the block; how many bytes it takes."""
    at, bits, held = _header(lengths, words)
    pairs = _pairs(lengths, codes)
    before, k = _NO_BYTE, 0
    while k < len(octets):
        octet = octets[k]
        if octet == before * _ALIKE:
            run = _run(octets, k)
            symbol = _RUN_SYMBOL[_OCTET * run]
            code = codes[symbol] | np.uint64(_RUN_REST[_OCTET * run]) << lengths[symbol]
            length = lengths[symbol] + np.uint64(_RUN_BITS[_OCTET * run] + 1)  # a single 0 says the distance: one
            at, bits, held = _append(words, at, bits, held, code, length)
            k += run
            continue
        a, b = pairs[octet & _PAIR], pairs[octet >> np.uint64(16) & _PAIR]
        c, d = pairs[octet >> np.uint64(32) & _PAIR], pairs[octet >> np.uint64(48)]
        low = a >> _BITS | b >> _BITS << (a & _MOST_BITS)
        high = c >> _BITS | d >> _BITS << (c & _MOST_BITS)
        length, more = (a & _MOST_BITS) + (b & _MOST_BITS), (c & _MOST_BITS) + (d & _MOST_BITS)
        if length + more <= _MOST_BITS:  # nearly always of an image that is worth it
            at, bits, held = _append(words, at, bits, held, low | high << length, length + more)
        else:
            at, bits, held = _append(words, at, bits, held, low, length)
            at, bits, held = _append(words, at, bits, held, high, more)
        before = octet >> np.uint64(56)
        k += 1
    for j in range(_OCTET * len(octets), len(data)):
        at, bits, held = _append(words, at, bits, held, codes[data[j]], lengths[data[j]])
    at, bits, held = _append(words, at, bits, held, codes[_END], lengths[_END])
    words[at] = bits
    return _OCTET * at + (np.int64(held) + 7) // 8


@njit(cache=True, nogil=True)
def _pairs(lengths: Octets, codes: Octets) -> Octets:
    """Of any two bytes, as a number whose low half is the first: their codes, one behind the other, and how long."""
    pairs = np.empty(_END * _END, np.uint64)
    for second in range(_END):
        code, length, row = codes[second], lengths[second], pairs[_END * second : _END * (second + 1)]
        for first in range(_END):
            row[first] = (codes[first] | code << lengths[first]) << _BITS | (lengths[first] + length)
    return pairs


@njit(cache=True, nogil=True)
def _sampled_counts(octets: Octets) -> Integers:
    """About how often each symbol occurs: from all of a small image, from a quarter of a large one; at least once."""
    counts = np.zeros((_OCTET, _END), np.int64)  # by place in the octet, so that one does not wait for another
    runs = np.zeros(_MOST + 1, np.int64)
    size = len(octets)
    step = 4 * _SAMPLE if size > 16 * _SAMPLE else _SAMPLE
    for start in range(0, size, step):
        k, end = start, min(start + _SAMPLE, size)
        before = octets[k - 1] >> np.uint64(56) if k > 0 else _NO_BYTE
        while k < end:
            octet = octets[k]
            if octet == before * _ALIKE:
                run = _run(octets, k)
                runs[run] += 1
                k += run
                continue
            for place in range(_OCTET):
                counts[place, (octet >> np.uint64(8 * place)) & _BYTE] += 1
            before = octet >> np.uint64(56)
            k += 1
    total = np.ones(_SYMBOLS, np.int64)
    for place in range(_OCTET):
        for byte in range(_END):
            total[byte] += counts[place, byte]
    for run in range(1, _MOST + 1):
        total[_RUN_SYMBOL[_OCTET * run]] += runs[run]
    return total


@njit(cache=True, nogil=True)
def _run(octets: Octets, start: int) -> int:
    """How many octets from `start` on, at most _MOST, are what this one is."""
    end = min(len(octets), start + _MOST)
    k = start + 1
    while k < end and octets[k] == octets[start]:
        k += 1
    return k - start


@njit(cache=True, nogil=True, inline="always")
def _append(
    words: Octets, at: Whole, bits: np.uint64, held: np.uint64, code: np.uint64, length: np.uint64
) -> tuple[Whole, np.uint64, np.uint64]:
    """Append at most 63 bits to those that are held, fewer than 64; without a branch, which nobody could predict."""
    words[at] = low = bits | code << held
    high = code >> np.uint64(1) >> (np.uint64(63) - held)
    held += length
    full = held >> np.uint64(6)
    return at + np.int64(full), high if full else low, held & np.uint64(63)


@njit(cache=True, nogil=True)
def _header(lengths: Octets, words: Octets) -> tuple[Whole, np.uint64, np.uint64]:
    """A block's beginning: that it is the last, and the lengths of all codes, in 4 bits each; (at, bits, held)."""
    # Last block, own codes; 286 symbols, 1 distance, lengths of 19 codes for lengths.
    at: Whole = 0
    bits, held = np.uint64(0b101 | (_SYMBOLS - 257) << 3 | 0 << 8 | 15 << 13), np.uint64(17)
    for k in range(19):  # the first three stand for repetitions; the other sixteen are 0 to 15 in some order
        at, bits, held = _append(words, at, bits, held, np.uint64(0 if k < 3 else 4), np.uint64(3))
    for symbol in range(_SYMBOLS + 1):
        length = np.int64(lengths[symbol]) if symbol < _SYMBOLS else 1
        at, bits, held = _append(words, at, bits, held, np.uint64(_reversed(length, 4)), np.uint64(4))
    return at, bits, held


@njit(cache=True, nogil=True)
def _code_lengths(counts: Integers, order: Integers) -> Octets:
    """The lengths of Huffman's codes for two symbols or more, none longer than 15 bits; `order` sorts the counts."""
    n = len(counts)
    lengths = np.zeros(n, np.uint64)
    # Leaves and then the nodes that join two of them, in the order of their counts: two queues.
    weights, parents = np.zeros(2 * n - 1, np.int64), np.zeros(2 * n - 1, np.int64)
    for k in range(n):
        weights[k] = counts[order[k]]
    leaf, node = 0, n
    for made in range(n, 2 * n - 1):
        for _ in range(2):
            if leaf < n and (node >= made or weights[leaf] <= weights[node]):
                lightest = leaf
                leaf += 1
            else:
                lightest = node
                node += 1
            weights[made] += weights[lightest]
            parents[lightest] = made
    depths = np.zeros(2 * n - 1, np.int64)
    of_length = np.zeros(_LONGEST_CODE + 1, np.int64)
    for k in range(2 * n - 3, -1, -1):
        depths[k] = depths[parents[k]] + 1
        if k < n:
            of_length[min(depths[k], _LONGEST_CODE)] += 1
    # Codes that were cut short take more than there is: longer ones elsewhere make room.
    taken = 0
    for length in range(1, _LONGEST_CODE + 1):
        taken += of_length[length] << (_LONGEST_CODE - length)
    while taken > 1 << _LONGEST_CODE:
        of_length[_LONGEST_CODE] -= 1
        length = _LONGEST_CODE - 1
        while of_length[length] == 0:
            length -= 1
        of_length[length] -= 1
        of_length[length + 1] += 2
        taken -= 1
    k = 0
    for length in range(_LONGEST_CODE, 0, -1):  # the rarest first
        for _ in range(of_length[length]):
            lengths[order[k]] = length
            k += 1
    return lengths


@njit(cache=True, nogil=True)
def _codes(lengths: Octets) -> Octets:
    """The codes of these lengths, as deflate numbers them, their first bit lowest."""
    codes = np.zeros(len(lengths), np.uint64)
    code = 0
    for length in range(1, _LONGEST_CODE + 1):
        for symbol in range(len(lengths)):
            if np.int64(lengths[symbol]) == length:
                codes[symbol] = np.uint64(_reversed(code, length))
                code += 1
        code <<= 1
    return codes


@njit(cache=True, nogil=True)
def _reversed(code: Whole, length: Whole) -> Whole:
    result: Whole = 0
    for _ in range(length):
        result = result << 1 | code & 1
        code >>= 1
    return result

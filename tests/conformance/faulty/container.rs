//! Faults of packets, of the sequence header and of the index.

use super::super::blocks::*;
use super::{Add, front, good, head, part};

pub fn container(add: Add) {
    let good = good();
    let section_at = front().len();
    let section_len =
        u32::from_le_bytes(good[section_at + 1..section_at + 5].try_into().unwrap()) as usize + 9;
    let flipped = |at: usize| {
        let mut b = good.clone();
        b[at] ^= 1;
        b
    };
    add("empty.nvc", "0 bytes", Vec::new(), 4, "empty file");
    let mut b = good.clone();
    b[0] = 0x0b;
    add(
        "bad-magic.nvc",
        "the first byte lost its high bit, as on a seven-bit line",
        b,
        4,
        "not an NVC file",
    );
    let mut b = good.clone();
    b.remove(4);
    add(
        "text-mode.nvc",
        "CR LF became LF: the file went through a text-mode transfer",
        b,
        4,
        "not an NVC file",
    );
    add(
        "magic-short.nvc",
        "five bytes of the magic and no more",
        good[..5].to_vec(),
        4,
        "not an NVC file",
    );
    add(
        "magic-only.nvc",
        "nothing after the magic",
        good[..8].to_vec(),
        4,
        "file ends before its header",
    );
    add(
        "truncated-head.nvc",
        "ends inside tag and length of a section",
        good[..section_at + 3].to_vec(),
        4,
        "truncated packet: 3 of 5",
    );
    add(
        "truncated-section.nvc",
        "ends inside a section's payload",
        good[..section_at + 60].to_vec(),
        4,
        "truncated 'S' packet",
    );
    add(
        "truncated-crc.nvc",
        "ends inside a section's CRC",
        good[..section_at + section_len - 1].to_vec(),
        4,
        "truncated 'S' packet",
    );
    add(
        "no-index.nvc",
        "ends after a whole section",
        good[..section_at + section_len].to_vec(),
        4,
        "file ends without its index",
    );
    add(
        "truncated-index.nvc",
        "ends inside the index",
        good[..good.len() - 7].to_vec(),
        4,
        "truncated 'I' packet",
    );
    let mut b = good[..section_at].to_vec();
    b.extend([b'S', 0xf0, 0xff, 0xff, 0x3f, 1, 2, 3]);
    add(
        "lying-length.nvc",
        "a packet that claims 2^30 - 16 bytes and holds three; a decoder that trusts it allocates 1 GiB",
        b,
        4,
        "truncated 'S' packet",
    );
    add(
        "bad-crc-header.nvc",
        "a flipped bit in the sequence header",
        flipped(8 + 6),
        4,
        "CRC-32 of the 'H' packet",
    );
    add(
        "bad-crc-section.nvc",
        "a flipped bit in coded weights",
        flipped(section_at + 40),
        4,
        "CRC-32 of the 'S' packet",
    );
    add(
        "bad-crc-index.nvc",
        "a flipped bit in the index's CRC",
        flipped(good.len() - 1),
        4,
        "CRC-32 of the 'I' packet",
    );
    let mut b = good[..section_at].to_vec();
    let mut p = packet(b'x', b"abc");
    p[5] ^= 1;
    b.extend(p);
    b.extend(&good[section_at..]);
    add(
        "bad-crc-ancillary.nvc",
        "a flipped bit in a packet that is skipped",
        b,
        4,
        "CRC-32 of the 'x' packet",
    );
    let mut b = good.clone();
    b[section_at] = b'1';
    add(
        "tag-digit.nvc",
        "a tag that is no letter",
        b,
        4,
        "packet tag is 0x31",
    );
    add(
        "critical-packet.nvc",
        "an unknown packet with an upper-case tag",
        assemble(&[head(), Part::Other(b'X', vec![1]), part()]),
        5,
        "packet 'X'",
    );
    add(
        "no-header.nvc",
        "the first packet is a section",
        assemble(&[part()]),
        4,
        "first packet is 'S'",
    );
    add(
        "ancillary-first.nvc",
        "an ancillary packet before the header",
        assemble(&[Part::Other(b'x', vec![]), head(), part()]),
        4,
        "first packet is 'x'",
    );
    add(
        "two-headers.nvc",
        "a second sequence header",
        assemble(&[head(), part(), head()]),
        4,
        "a second 'H' packet",
    );
    let mut b = good.clone();
    b.extend(packet(b'x', &[]));
    add(
        "after-index.nvc",
        "an ancillary packet after the index",
        b,
        4,
        "data after the index",
    );
    let mut b = good.clone();
    b.extend([0, 0, 0]);
    add(
        "bytes-after-index.nvc",
        "three bytes after the index",
        b,
        4,
        "data after the index",
    );
}

pub fn sequence_header(add: Add) {
    let with_header = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut h = header(&gray8());
        change(&mut h);
        assemble(&[Part::Header(h), part()])
    };
    // offsets of the fields of this header: version 0, width 1, height 2, chroma 3, depth 4, rate 5
    // 6, aspect 7 8, colour 9 to 12
    add(
        "version-2.nvc",
        "a version of the future",
        with_header(&|h| h[0] = 2),
        5,
        "format version 2",
    );
    add(
        "version-0.nvc",
        "version 0",
        with_header(&|h| h[0] = 0),
        4,
        "format_version is 0",
    );
    add(
        "width-0.nvc",
        "a picture of no columns",
        with_header(&|h| h[1] = 0),
        4,
        "width is 0",
    );
    add(
        "height-65536.nvc",
        "one row too many",
        with_header(&|h| drop(h.splice(2..3, [0x80, 0x80, 0x04]))),
        4,
        "height is 65536",
    );
    add(
        "chroma-4.nvc",
        "alpha of a network that has none",
        with_header(&|h| h[3] = 4),
        4,
        "HNeRV pictures of graya (allowed with alpha: pyramid)",
    );
    add(
        "chroma-6.nvc",
        "an unknown sample layout",
        with_header(&|h| h[3] = 6),
        4,
        "chroma is 6",
    );
    add(
        "depth-9.nvc",
        "a bit depth between the two",
        with_header(&|h| h[4] = 9),
        4,
        "bit_depth is 9",
    );
    add(
        "depth-16.nvc",
        "a bit depth beyond the range",
        with_header(&|h| h[4] = 16),
        4,
        "bit_depth is 16",
    );
    add(
        "range-3.nvc",
        "an unknown sample range",
        with_header(&|h| h[12] = 3),
        4,
        "range is 3",
    );
    add(
        "header-short.nvc",
        "the header ends before its last field",
        with_header(&|h| h.truncate(12)),
        4,
        "range needs 1 bytes",
    );
    add(
        "varint-long-form.nvc",
        "width 8 in two bytes: a second form of the same header",
        with_header(&|h| drop(h.splice(1..2, [0x88, 0x00]))),
        4,
        "width is not a shortest-form",
    );
    add(
        "varint-6-bytes.nvc",
        "a varint that goes on; a decoder without a bound shifts by more than 31",
        with_header(&|h| drop(h.splice(5..6, [0xff; 6]))),
        4,
        "fps_num is a varint of more than 5 bytes",
    );
    add(
        "varint-33-bits.nvc",
        "a varint of 2^32; a decoder of 32 bits reads 0",
        with_header(&|h| drop(h.splice(5..6, [0x80, 0x80, 0x80, 0x80, 0x10]))),
        4,
        "fps_num is not a shortest-form 32-bit varint",
    );
}

pub fn index(add: Add) {
    let index = |change: &dyn Fn(&mut Vec<u8>)| {
        let b = assemble(&[head(), part()]);
        let at = u64::from_le_bytes(b[b.len() - 12..b.len() - 4].try_into().unwrap()) as usize;
        let mut p = b[at + 5..b.len() - 4].to_vec();
        change(&mut p);
        [&b[..at], &packet(b'I', &p)].concat()
    };
    add(
        "index-frames.nvc",
        "an entry with another number of frames",
        index(&|p| p[0] += 1),
        4,
        "index does not list the sections",
    );
    add(
        "index-bytes.nvc",
        "an entry with another size",
        index(&|p| p[1] ^= 1),
        4,
        "index does not list the sections",
    );
    add(
        "index-missing.nvc",
        "an index without entries",
        index(&|p| drop(p.drain(..p.len() - 8))),
        4,
        "index does not list the sections",
    );
    add(
        "index-extra.nvc",
        "an entry too many",
        index(&|p| drop(p.splice(0..0, [1, 20]))),
        4,
        "index does not list the sections",
    );
    add(
        "index-offset.nvc",
        "a wrong offset; a decoder that seeks lands somewhere",
        index(&|p| {
            let n = p.len();
            p[n - 8] ^= 2;
        }),
        4,
        "index offset is",
    );
    add(
        "index-short.nvc",
        "an index of 7 bytes",
        index(&|p| p.truncate(7)),
        4,
        "index offset needs 8 bytes",
    );
}

pub fn light_packet(add: Add) {
    let l = |payload: &[u8]| Part::Other(b'l', payload.to_vec());
    let with = |payload: &[u8]| assemble(&[head(), l(payload), part()]);
    add(
        "light-twice.nvc",
        "two `l` packets",
        assemble(&[head(), l(&light()), l(&[0, 0]), part()]),
        4,
        "a second 'l' packet",
    );
    add(
        "light-late.nvc",
        "an `l` packet after a section",
        assemble(&[head(), part(), l(&light())]),
        4,
        "an 'l' packet after the first",
    );
    let mut short = light();
    short.truncate(light().len() - 7);
    add(
        "light-short.nvc",
        "an `l` packet that ends inside a luminance",
        with(&short),
        4,
        "max_luminance needs 1 bytes",
    );
    add(
        "light-empty.nvc",
        "an `l` packet without payload",
        with(&[]),
        4,
        "mastering needs 1 bytes",
    );
    add(
        "light-flag-2.nvc",
        "a presence byte of 2",
        with(&[0, 2, 0, 0]),
        4,
        "content is 2 (allowed 0..=1)",
    );
    add(
        "light-65536.nvc",
        "a light level of 17 bits",
        with(&[0, 1, 0x80, 0x80, 0x04, 0]),
        4,
        "max_cll is 65536",
    );
}

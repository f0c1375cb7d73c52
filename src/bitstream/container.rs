//! The container (spec section 2): magic, then packets of tag, length, payload and CRC-32, readable
//! from a pipe.

use std::io::{Read, Write};

use super::fields::Reader;
use super::header::{IndexEntry, SequenceHeader};
use super::light;
use super::limits::Limits;
use crate::error::{Error, Result};
use crate::frame::VideoInfo;

/// First bytes of every file. The line ends show transfers that mangle text, the high bit seven-bit
/// ones.
pub const MAGIC: [u8; 8] = *b"\x8bNVC\r\n\x1a\n";
/// Bytes of a packet around its payload: tag (1), length (4), CRC-32 (4).
pub const PACKET_OVERHEAD: u64 = 9;
/// What is said of an output that cannot be written.
pub const WRITING: &str = "writing the stream";
/// Most bytes of a whole packet; the index counts them in 32 bits.
pub const MAX_PACKET: u64 = u32::MAX as u64;

/// Packet tags. A decoder skips unknown packets with a lower-case tag and refuses unknown
/// upper-case ones.
pub mod tag {
    /// Sequence header: first packet, once.
    pub const HEADER: u8 = b'H';
    /// A section.
    pub const SECTION: u8 = b'S';
    /// Index: last packet, once.
    pub const INDEX: u8 = b'I';
    /// Light: before the sections, at most once.
    pub const LIGHT: u8 = b'l';
}

/// One packet as read.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Tag, see [`tag`].
    pub tag: u8,
    /// Byte offset of the tag in the file.
    pub offset: u64,
    /// The payload; its first byte is at `offset + 5`.
    pub payload: Vec<u8>,
    /// Whether the stored CRC-32 agrees.
    pub crc_ok: bool,
}

impl Packet {
    /// A reader of the payload.
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(&self.payload, self.offset + 5)
    }

    /// Bytes of the whole packet in the file.
    pub fn bytes(&self) -> u64 {
        self.payload.len() as u64 + PACKET_OVERHEAD
    }

    /// An [`Error::Format`] unless the CRC agreed.
    pub fn check(&self) -> Result<()> {
        if self.crc_ok {
            return Ok(());
        }
        Err(Error::format(
            self.offset,
            format!(
                "CRC-32 of the '{}' packet does not match its {} bytes",
                self.tag.escape_ascii(),
                self.bytes()
            ),
        ))
    }
}

/// Reads packets one after another; needs no seeking.
pub struct PacketReader<R> {
    input: R,
    offset: u64,
    /// Tag and length of the next packet, if they were looked at already.
    head: Option<[u8; 5]>,
    largest: u64,
    limits: Limits,
}

impl<R: Read> PacketReader<R> {
    /// Checks the magic.
    pub fn new(input: R, limits: Limits) -> Result<Self> {
        let mut r = PacketReader {
            input,
            offset: 0,
            head: None,
            largest: 0,
            limits,
        };
        let mut magic = [0; 8];
        let n = r.fill(&mut magic)?;
        if n == 0 {
            return Err(Error::format(0, "empty file (expected the NVC magic)"));
        }
        if magic[..n] != MAGIC[..n] || n < magic.len() {
            return Err(Error::format(
                0,
                format!(
                    "not an NVC file: starts with {:02x?}, expected {MAGIC:02x?}",
                    &magic[..n]
                ),
            ));
        }
        Ok(r)
    }

    /// Bytes of the largest payload so far.
    pub fn largest(&self) -> u64 {
        self.largest
    }

    /// Bytes read so far, up to the next packet.
    pub fn offset(&self) -> u64 {
        self.offset - self.head.map_or(0, |h| h.len() as u64)
    }

    fn fill(&mut self, buf: &mut [u8]) -> Result<usize> {
        let mut n = 0;
        while n < buf.len() {
            match self.input.read(&mut buf[n..]) {
                Ok(0) => break,
                Ok(k) => n += k,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => {
                    return Err(Error::io(
                        format!("reading the stream at byte {}", self.offset + n as u64),
                        e,
                    ));
                }
            }
        }
        self.offset += n as u64;
        Ok(n)
    }

    /// Tag of the next packet, or `None` at the end of the file. Its payload need not have arrived.
    pub fn peek(&mut self) -> Result<Option<u8>> {
        if self.head.is_none() {
            let offset = self.offset;
            let mut head = [0; 5];
            match self.fill(&mut head)? {
                0 => {}
                5 => self.head = Some(head),
                n => {
                    return Err(Error::format(
                        offset,
                        format!("truncated packet: {n} of 5 bytes of tag and length"),
                    ));
                }
            }
        }
        Ok(self.head.map(|h| h[0]))
    }

    /// The next packet, or `None` at the end of the file.
    pub fn next_packet(&mut self) -> Result<Option<Packet>> {
        self.peek()?;
        let offset = self.offset();
        let Some(head) = self.head.take() else {
            return Ok(None);
        };
        let len = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        if !head[0].is_ascii_alphabetic() {
            return Err(Error::format(
                offset,
                format!("packet tag is 0x{:02x} (allowed: ASCII letters)", head[0]),
            ));
        }
        Limits::check(
            "bytes of a packet",
            u64::from(len),
            self.limits.section_bytes,
        )?;
        if u64::from(len) + PACKET_OVERHEAD > MAX_PACKET {
            return Err(Error::format(
                offset,
                format!(
                    "packet of {} bytes (at most {MAX_PACKET})",
                    u64::from(len) + PACKET_OVERHEAD
                ),
            ));
        }
        self.largest = self.largest.max(len.into());
        // grows with the bytes that really arrive, so a lying length allocates nothing
        let mut payload = Vec::new();
        let n = (&mut self.input)
            .take(u64::from(len))
            .read_to_end(&mut payload)
            .map_err(|e| Error::io(format!("reading the stream at byte {}", self.offset), e))?;
        self.offset += n as u64;
        let mut crc = [0; 4];
        if n < len as usize || self.fill(&mut crc)? < 4 {
            return Err(Error::format(
                offset,
                format!(
                    "truncated '{}' packet: {} of {} bytes",
                    head[0].escape_ascii(),
                    self.offset - offset,
                    u64::from(len) + PACKET_OVERHEAD
                ),
            ));
        }
        let mut hash = crc32fast::Hasher::new();
        hash.update(&head);
        hash.update(&payload);
        let crc_ok = hash.finalize() == u32::from_le_bytes(crc);
        Ok(Some(Packet {
            tag: head[0],
            offset,
            payload,
            crc_ok,
        }))
    }
}

/// Writes a file front to back; needs no seeking.
pub struct ContainerWriter<W> {
    output: W,
    offset: u64,
    index: Vec<IndexEntry>,
}

impl<W: Write> ContainerWriter<W> {
    /// Writes the magic and what is known of the sequence: its header and, if there is any, its
    /// light packet.
    pub fn new(output: W, info: &VideoInfo) -> Result<Self> {
        let mut w = ContainerWriter {
            output,
            offset: 0,
            index: Vec::new(),
        };
        let mut payload = Vec::new();
        SequenceHeader::new(info)?.write(&mut payload);
        w.raw(&MAGIC)?;
        w.packet(tag::HEADER, &payload)?;
        if let Some(light) = &info.color.light {
            w.packet(tag::LIGHT, &light::write(light))?;
        }
        Ok(w)
    }

    /// Bytes written so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.output
            .write_all(bytes)
            .map_err(|e| Error::io(WRITING, e))?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    fn packet(&mut self, tag: u8, payload: &[u8]) -> Result<()> {
        let bytes = payload.len() as u64 + PACKET_OVERHEAD;
        if bytes > MAX_PACKET {
            return Err(Error::Unsupported(format!(
                "a packet of {bytes} bytes (at most {MAX_PACKET})"
            )));
        }
        let len = payload.len() as u32;
        let mut head = vec![tag];
        head.extend(len.to_le_bytes());
        let mut hash = crc32fast::Hasher::new();
        hash.update(&head);
        hash.update(payload);
        self.raw(&head)?;
        self.raw(payload)?;
        self.raw(&hash.finalize().to_le_bytes())
    }

    /// Writes one section and flushes, so that a reader at the other end of a pipe can start.
    pub fn section(&mut self, frames: u32, payload: &[u8]) -> Result<()> {
        self.packet(tag::SECTION, payload)?;
        self.index.push(IndexEntry {
            frames,
            bytes: (payload.len() as u64 + PACKET_OVERHEAD) as u32,
        });
        self.output.flush().map_err(|e| Error::io(WRITING, e))
    }

    /// Writes the index and returns the output and the bytes of the whole file.
    pub fn finish(mut self) -> Result<(W, u64)> {
        let start = self.offset;
        let mut payload = Vec::new();
        for e in &self.index {
            e.write(&mut payload);
        }
        payload.extend(start.to_le_bytes());
        self.packet(tag::INDEX, &payload)?;
        self.output.flush().map_err(|e| Error::io(WRITING, e))?;
        Ok((self.output, self.offset))
    }
}

/// Parses the payload of the `I` packet: entries, then the packet's own offset in 8 bytes.
pub fn parse_index(packet: &Packet) -> Result<Vec<IndexEntry>> {
    let mut r = packet.reader();
    let mut entries = Vec::new();
    while r.remaining() > 8 {
        entries.push(IndexEntry::read(&mut r)?);
    }
    let at = r.offset();
    let b = r.bytes(8, "index offset")?;
    let own = u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
    if own != packet.offset {
        return Err(Error::format(
            at,
            format!(
                "index offset is {own}, the index stands at {}",
                packet.offset
            ),
        ));
    }
    Ok(entries)
}

//! READ THIS FIRST: from the bytes of a file to its frames.
//!
//! A file is a list of packets ([`bitstream`](crate::bitstream)): header, sections, index. A section holds groups; a group
//! holds a network and one latent a frame ([`group`](crate::group)), entropy-coded ([`entropy`](crate::entropy)). The network's
//! header is lowered to a graph ([`network`](crate::network)), and the graph turns each latent into a picture
//! ([`synth`](crate::synth)). Nothing but integers is involved.

use std::io::Read;

use rayon::prelude::*;

use crate::bitstream::container::{Packet, PacketReader, parse_index, tag};
use crate::bitstream::header::{FORMAT_VERSION, IndexEntry, SectionHeader, SequenceHeader};
use crate::bitstream::limits::Limits;
use crate::error::{Error, Result};
use crate::frame::{Frame, VideoInfo};
use crate::group::{Group, GroupLayout, at};
use crate::synth::{Level, Synth};

/// How to decode; the samples do not depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What a stream may ask for.
    pub limits: Limits,
    /// Instruction set.
    pub level: Level,
    /// Frames computed at once; 0 = one a processor.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { limits: Limits::default(), level: Level::detect(), threads: 0 }
    }
}

/// One section as read: checked headers, coded parts still coded.
pub struct Section {
    /// The packet.
    pub packet: Packet,
    /// First frame, frames, groups.
    pub header: SectionHeader,
    /// First frame and layout of each group.
    pub groups: Vec<(u64, GroupLayout)>,
}

impl Section {
    fn parse(packet: Packet, first_frame: u64, info: &VideoInfo, limits: &Limits) -> Result<Self> {
        let mut r = packet.reader();
        let header = SectionHeader::read(&mut r)?;
        if u64::from(header.first_frame) != first_frame {
            return Err(Error::format(
                packet.offset + 5,
                format!("section starts at frame {}, expected {first_frame}", header.first_frame),
            ));
        }
        let mut groups = Vec::new();
        let mut next = first_frame;
        for _ in 0..header.groups {
            let layout = GroupLayout::read(&mut r, info, limits)?;
            r.bytes(layout.coded_bytes(), "coded parts of a group")?;
            let frames = layout.header.frames;
            groups.push((next, layout));
            next += u64::from(frames);
        }
        if next - first_frame != u64::from(header.frames) {
            let sum = next - first_frame;
            return Err(Error::format(packet.offset + 5, format!("groups hold {sum} frames, the section header says {}", header.frames)));
        }
        if r.remaining() > 0 {
            return Err(Error::format(r.offset(), format!("{} bytes after the section's last group", r.remaining())));
        }
        Ok(Section { header, groups, packet })
    }

    /// Decodes network and latents of one of the section's groups.
    pub fn group(&self, layout: &GroupLayout) -> Result<Group> {
        let coded_at = layout.offset + layout.header_bytes;
        let start = (coded_at - self.packet.offset - 5) as usize;
        let mut r = crate::bitstream::fields::Reader::new(&self.packet.payload[start..start + layout.coded_bytes()], coded_at);
        layout.decode(&mut r).map_err(|e| at(e, coded_at))
    }
}

/// Reads a file section by section, from a pipe too; holds one section at a time.
pub struct StreamDecoder<R> {
    packets: PacketReader<R>,
    options: Options,
    info: VideoInfo,
    index: Vec<IndexEntry>,
    next_frame: u64,
    ended: bool,
}

impl<R: Read> StreamDecoder<R> {
    /// Reads the header.
    pub fn new(input: R, options: Options) -> Result<Self> {
        let mut packets = PacketReader::new(input, options.limits)?;
        let at = packets.offset();
        let packet = packets.next_packet()?.ok_or_else(|| Error::format(at, "file ends before its header"))?;
        if packet.tag != tag::HEADER {
            return Err(Error::format(at, format!("first packet is '{}' (expected 'H')", packet.tag.escape_ascii())));
        }
        packet.check()?;
        // of a version not known, nothing after this byte means anything
        if let Some(&version) = packet.payload.first().filter(|v| u32::from(**v) > FORMAT_VERSION) {
            return Err(Error::Unsupported(format!("format version {version} (this decoder reads {FORMAT_VERSION})")));
        }
        let header = SequenceHeader::read(&mut packet.reader())?;
        let info = header.info(packet.offset + 5)?;
        Limits::check("luma samples of a frame", info.width as u64 * info.height as u64, options.limits.frame_samples)?;
        // fields may be added at the header's end; decoders of this version skip them
        Ok(StreamDecoder { packets, options, info, index: Vec::new(), next_frame: 0, ended: false })
    }

    /// Geometry, format, rate and colour.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// Bytes read so far; after the last section, the size of the file.
    pub fn bytes_read(&self) -> u64 {
        self.packets.offset()
    }

    /// Frames of all sections read so far.
    pub fn frames_read(&self) -> u64 {
        self.next_frame
    }

    /// The next section, or `None` after the index. A wrong CRC is an error here; `nvc info` looks with
    /// [`StreamDecoder::next_section_unchecked`].
    pub fn next_section(&mut self) -> Result<Option<Section>> {
        match self.next_packet()? {
            Some(p) => p.check().and_then(|()| self.parse(p)).map(Some),
            None => Ok(None),
        }
    }

    /// [`StreamDecoder::next_section`] whatever the CRC says.
    pub fn next_section_unchecked(&mut self) -> Result<Option<Section>> {
        self.next_packet()?.map(|p| self.parse(p)).transpose()
    }

    fn parse(&mut self, packet: Packet) -> Result<Section> {
        let bytes = packet.bytes() as u32;
        let section = Section::parse(packet, self.next_frame, &self.info, &self.options.limits)?;
        self.next_frame += u64::from(section.header.frames);
        self.index.push(IndexEntry { frames: section.header.frames, bytes });
        Ok(section)
    }

    /// The next section packet; checks the index and that nothing follows it.
    fn next_packet(&mut self) -> Result<Option<Packet>> {
        while !self.ended {
            let at = self.packets.offset();
            let Some(p) = self.packets.next_packet()? else {
                return Err(Error::format(at, format!("file ends without its index, after {} frames", self.next_frame)));
            };
            match p.tag {
                tag::SECTION => return Ok(Some(p)),
                tag::INDEX => {
                    p.check()?;
                    if parse_index(&p)? != self.index {
                        return Err(Error::format(p.offset, "index does not list the sections that precede it"));
                    }
                    let end = self.packets.offset();
                    if self.packets.next_packet()?.is_some() {
                        return Err(Error::format(end, "data after the index"));
                    }
                    self.ended = true;
                }
                tag::HEADER => return Err(Error::format(at, "a second 'H' packet")),
                t if t.is_ascii_lowercase() => p.check()?,
                t => return Err(Error::Unsupported(format!("packet '{}' at byte {at}", t.escape_ascii()))),
            }
        }
        Ok(None)
    }

    /// Decodes frames `range` (half open, display order) to `sink`. Groups outside are skipped, not computed.
    pub fn decode(&mut self, range: std::ops::Range<u64>, sink: &mut dyn FnMut(u64, Frame) -> Result<()>) -> Result<()> {
        let pool = pool(self.options.threads)?;
        while let Some(section) = self.next_section()? {
            for (first, layout) in &section.groups {
                let (first, end) = (*first, first + u64::from(layout.header.frames));
                let (from, to) = (range.start.max(first), range.end.min(end));
                if from < to {
                    let group = section.group(layout)?;
                    let synth =
                        Synth::new(&layout.graph, &group.network, &self.info, self.options.level).map_err(|e| at(e, layout.offset))?;
                    let latents = &group.latents[(from - first) as usize * layout.graph.latent_len()..];
                    frames(&pool, &synth, latents, layout.graph.latent_len(), (to - from) as usize, &mut |i, f| sink(from + i, f))?;
                }
            }
        }
        Ok(())
    }
}

/// A pool of `threads` workers, 0 = one a processor.
pub fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|e| Error::io("starting threads", std::io::Error::other(e)))
}

/// Computes `count` pictures of consecutive `latents`, as many at once as the pool has threads, and gives them out in order.
pub fn frames(
    pool: &rayon::ThreadPool,
    synth: &Synth,
    latents: &[i16],
    latent_len: usize,
    count: usize,
    sink: &mut dyn FnMut(u64, Frame) -> Result<()>,
) -> Result<()> {
    let mut workers: Vec<_> = (0..pool.current_num_threads().min(count)).map(|_| synth.workspace()).collect();
    let mut done = 0;
    while done < count {
        let batch: Vec<&[i16]> = latents.chunks_exact(latent_len).take(count).skip(done).take(workers.len()).collect();
        let pictures: Vec<Frame> = pool.install(|| batch.par_iter().zip(&mut workers).map(|(l, ws)| synth.frame(l, ws)).collect());
        for f in pictures {
            sink(done as u64, f)?;
            done += 1;
        }
    }
    Ok(())
}

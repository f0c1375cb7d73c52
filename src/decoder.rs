//! READ THIS FIRST: from the bytes of a file to its frames.
//!
//! A file is a list of packets ([`bitstream`](crate::bitstream)): header, sections, index. A
//! section holds groups; a group holds a network and one latent a frame ([`group`](crate::group)),
//! entropy-coded ([`entropy`](crate::entropy)). The network's header is lowered to a graph
//! ([`network`](crate::network)), and the graph turns each latent into a picture
//! ([`synth`](crate::synth)). Nothing but integers is involved.

use std::io::Read;
use std::ops::Range;
use std::sync::mpsc::{self, SyncSender};

use crate::bitstream::container::{Packet, PacketReader, parse_index, tag};
use crate::bitstream::fields::Reader;
use crate::bitstream::header::{FORMAT_VERSION, IndexEntry, SectionHeader, SequenceHeader};
use crate::bitstream::light;
use crate::bitstream::limits::Limits;
use crate::entropy::tensor::QuantizedNetwork;
use crate::error::{Error, Result};
use crate::frame::{Frame, VideoInfo};
use crate::group::{Group, GroupLayout};
use crate::synth::{SimdLevel, Synth, Workspace};

/// How to decode; the samples do not depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What a stream may ask for.
    pub limits: Limits,
    /// Instruction set.
    pub level: SimdLevel,
    /// Frames computed at once; 0 = one a processor.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            limits: Limits::default(),
            level: SimdLevel::detect(),
            threads: 0,
        }
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
                format!(
                    "section starts at frame {}, expected {first_frame}",
                    header.first_frame
                ),
            ));
        }
        let mut groups = Vec::new();
        let mut next = first_frame;
        // a few header bytes may describe a graph of hundreds of nodes
        let mut nodes = 0;
        for _ in 0..header.groups {
            let layout = GroupLayout::read(&mut r, info, limits)?;
            r.bytes(layout.coded_bytes(), "coded parts of a group")?;
            let frames = layout.header.frames;
            nodes += layout.graph.nodes.len() as u64;
            Limits::check("operations of a section", nodes, limits.section_nodes)?;
            groups.push((next, layout));
            next += u64::from(frames);
        }
        if next - first_frame != u64::from(header.frames) {
            let sum = next - first_frame;
            return Err(Error::format(
                packet.offset + 5,
                format!(
                    "groups hold {sum} frames, the section header says {}",
                    header.frames
                ),
            ));
        }
        if r.remaining() > 0 {
            return Err(Error::format(
                r.offset(),
                format!("{} bytes after the section's last group", r.remaining()),
            ));
        }
        Ok(Section {
            header,
            groups,
            packet,
        })
    }

    fn coded(&self, layout: &GroupLayout) -> Reader<'_> {
        let coded_at = layout.offset + layout.header_bytes;
        let start = (coded_at - self.packet.offset - 5) as usize;
        Reader::new(
            &self.packet.payload[start..start + layout.coded_bytes()],
            coded_at,
        )
    }

    /// Decodes the groups of the section that hold frames of `range`, in order, and of those before
    /// them what they need.
    pub fn groups_in(
        &self,
        range: Range<u64>,
        sink: &mut dyn FnMut(u64, &GroupLayout, Group) -> Result<()>,
    ) -> Result<()> {
        let mut previous: Option<QuantizedNetwork> = None;
        let wanted = |(first, layout): &(u64, GroupLayout)| {
            *first < range.end && first + u64::from(layout.header.frames) > range.start
        };
        // those after the last one wanted are nobody's predecessors
        let Some(last) = self.groups.iter().rposition(wanted) else {
            return Ok(());
        };
        for (i, group) in self.groups[..=last].iter().enumerate() {
            let (first, layout) = group;
            let wanted = wanted(group);
            let mut r = self.coded(layout);

            let next = self.groups[..=last]
                .get(i + 1)
                .filter(|(_, next)| next.uses_previous());
            if wanted {
                let group = layout.decode(&mut r, previous.as_ref())?;
                previous = next.is_some().then(|| group.network.clone());
                sink(*first, layout, group)?;
            } else if next.is_some() {
                previous = Some(layout.decode_network(&mut r, previous.as_ref())?);
            } else {
                previous = None;
            }
        }
        Ok(())
    }
}

/// Reads a file section by section, from a pipe too; holds one section at a time.
pub struct StreamDecoder<R> {
    /// `None` once a decode was broken off: its reading goes on without us.
    sections: Option<Sections<R>>,
    options: Options,
    info: VideoInfo,
}

/// The packets of a file after its header.
struct Sections<R> {
    packets: PacketReader<R>,
    limits: Limits,
    info: VideoInfo,
    index: Vec<IndexEntry>,
    next_frame: u64,
    ancillary_bytes: u64,
    ended: bool,
}

impl<R: Read> Sections<R> {
    fn parse(&mut self, packet: Packet) -> Result<Section> {
        let bytes = packet.bytes() as u32;
        let section = Section::parse(packet, self.next_frame, &self.info, &self.limits)?;
        self.next_frame += u64::from(section.header.frames);
        self.index.push(IndexEntry {
            frames: section.header.frames,
            bytes,
        });
        Ok(section)
    }

    fn next_section(&mut self) -> Result<Option<Section>> {
        match self.next_packet()? {
            Some(p) => p.check().and_then(|()| self.parse(p)).map(Some),
            None => Ok(None),
        }
    }

    /// The next section packet; checks the index and that nothing follows it.
    fn next_packet(&mut self) -> Result<Option<Packet>> {
        while !self.ended {
            let at = self.packets.offset();
            let Some(p) = self.packets.next_packet()? else {
                return Err(Error::format(
                    at,
                    format!(
                        "file ends without its index, after {} frames",
                        self.next_frame
                    ),
                ));
            };
            match p.tag {
                tag::SECTION => return Ok(Some(p)),
                tag::INDEX => {
                    p.check()?;
                    if parse_index(&p)? != self.index {
                        return Err(Error::format(
                            p.offset,
                            "index does not list the sections that precede it",
                        ));
                    }
                    let end = self.packets.offset();
                    match self.packets.next_packet() {
                        Ok(None) => {}
                        Err(e @ Error::Io { .. }) => return Err(e),
                        // whatever it is, it is no packet of this file
                        Ok(Some(_)) | Err(_) => {
                            return Err(Error::format(end, "data after the index"));
                        }
                    }
                    self.ended = true;
                }
                tag::HEADER => return Err(Error::format(at, "a second 'H' packet")),
                tag::LIGHT => {
                    return Err(Error::format(
                        at,
                        "an 'l' packet after the first section (allowed before it)",
                    ));
                }
                t if t.is_ascii_lowercase() => {
                    p.check()?;
                    self.ancillary_bytes += p.bytes();
                }
                t => {
                    return Err(Error::Unsupported(format!(
                        "packet '{}' at byte {at}",
                        t.escape_ascii()
                    )));
                }
            }
        }
        Ok(None)
    }

    /// Makes the groups that hold frames of `range` ready, one ahead of who takes them. Ends early
    /// if nobody does.
    fn groups(
        &mut self,
        range: &Range<u64>,
        level: SimdLevel,
        out: &SyncSender<Result<Ready>>,
    ) -> Result<()> {
        while let Some(section) = self.next_section()? {
            let mut gone = false;
            let ready = section.groups_in(range.clone(), &mut |first, layout, group| {
                let frames =
                    range.start.max(first)..range.end.min(first + u64::from(layout.header.frames));
                let synth = Synth::new(&layout.graph, &group.network, &self.info, level)
                    .map_err(|e| e.at(layout.offset))?;
                gone = out
                    .send(Ok(Ready {
                        synth,
                        latents: group.latents,
                        first,
                        frames,
                    }))
                    .is_err();
                // nobody reads this error
                if gone { Err(broken_off()) } else { Ok(()) }
            });
            if gone {
                return Ok(());
            }
            ready?;
        }
        Ok(())
    }
}

/// A group decoded, its pictures not yet computed.
struct Ready {
    synth: Synth,
    latents: Vec<i16>,
    /// The group's first frame.
    first: u64,
    /// Those of its frames that are wanted.
    frames: Range<u64>,
}

impl<R: Read> StreamDecoder<R> {
    /// Reads the header and everything else that comes before the first section; of that, tag and
    /// length only.
    pub fn new(input: R, options: Options) -> Result<Self> {
        let mut packets = PacketReader::new(input, options.limits)?;
        let at = packets.offset();
        let packet = packets
            .next_packet()?
            .ok_or_else(|| Error::format(at, "file ends before its header"))?;
        if packet.tag != tag::HEADER {
            return Err(Error::format(
                at,
                format!(
                    "first packet is '{}' (expected 'H')",
                    packet.tag.escape_ascii()
                ),
            ));
        }
        packet.check()?;
        // of a version not known, nothing after this byte means anything
        if let Some(&version) = packet
            .payload
            .first()
            .filter(|v| u32::from(**v) > FORMAT_VERSION)
        {
            return Err(Error::Unsupported(format!(
                "format version {version} (this decoder reads {FORMAT_VERSION})"
            )));
        }
        let header = SequenceHeader::read(&mut packet.reader())?;
        let mut info = header.info(packet.offset + 5)?;
        Limits::check(
            "luma samples of a frame",
            info.width as u64 * info.height as u64,
            options.limits.frame_samples,
        )?;
        // fields may be added at the header's end; decoders of this version skip them
        let mut ancillary_bytes = 0;
        while packets.peek()?.is_some_and(|t| t.is_ascii_lowercase()) {
            let Some(p) = packets.next_packet()? else {
                break;
            };
            p.check()?;
            if p.tag == tag::LIGHT {
                if info.color.light.is_some() {
                    return Err(Error::format(p.offset, "a second 'l' packet (at most one)"));
                }
                info.color.light = Some(light::read(&mut p.reader())?);
            }
            ancillary_bytes += p.bytes();
        }
        let limits = options.limits;
        let sections = Sections {
            packets,
            limits,
            info,
            index: Vec::new(),
            next_frame: 0,
            ancillary_bytes,
            ended: false,
        };
        Ok(StreamDecoder {
            sections: Some(sections),
            options,
            info,
        })
    }

    /// Geometry, format, rate and colour.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// Bytes read so far; after the last section, the size of the file. 0 after a decode that its
    /// sink broke off.
    pub fn bytes_read(&self) -> u64 {
        self.sections.as_ref().map_or(0, |s| s.packets.offset())
    }

    /// Those of [`StreamDecoder::bytes_read`] that are in ancillary packets.
    pub fn ancillary_bytes(&self) -> u64 {
        self.sections.as_ref().map_or(0, |s| s.ancillary_bytes)
    }

    /// Frames of all sections read so far. 0 after a decode that its sink broke off.
    pub fn frames_read(&self) -> u64 {
        self.sections.as_ref().map_or(0, |s| s.next_frame)
    }

    fn sections(&mut self) -> Result<&mut Sections<R>> {
        self.sections.as_mut().ok_or_else(broken_off)
    }

    /// The next section, or `None` after the index. A wrong CRC is an error here; `nvc info` looks
    /// with [`StreamDecoder::next_section_unchecked`].
    pub fn next_section(&mut self) -> Result<Option<Section>> {
        self.sections()?.next_section()
    }

    /// [`StreamDecoder::next_section`] whatever the CRC says.
    pub fn next_section_unchecked(&mut self) -> Result<Option<Section>> {
        let sections = self.sections()?;
        sections
            .next_packet()?
            .map(|p| sections.parse(p))
            .transpose()
    }

    /// Decodes frames `range` (half open, display order) to `sink`. Groups outside are skipped, not
    /// computed.
    ///
    /// Another thread reads and makes the next group ready while this one's pictures are computed.
    /// If `sink` fails, that thread may wait in a read that never returns; it is left alone, and
    /// with it the reader, so nothing more can be read.
    pub fn decode(
        &mut self,
        range: Range<u64>,
        sink: &mut dyn FnMut(u64, Frame) -> Result<()>,
    ) -> Result<()>
    where
        R: Send + 'static,
    {
        let pool = pool(self.options.threads)?;
        let level = self.options.level;
        let mut sections = self.sections.take().ok_or_else(broken_off)?;
        let (send, receive) = mpsc::sync_channel(0);
        let reading = move || {
            if let Err(e) = sections.groups(&range, level, &send) {
                // whoever is gone needs no error
                let _ = send.send(Err(e));
            }
            sections
        };
        let thread = std::thread::Builder::new()
            .name("nvc-read".into())
            .spawn(reading);
        let thread = thread.map_err(|e| Error::io("starting threads", e))?;
        let mut failed = None;
        for ready in receive {
            let g = match ready {
                Ok(g) => g,
                Err(e) => {
                    failed = Some(e);
                    continue;
                }
            };
            let wanted = (g.frames.start - g.first) as usize..(g.frames.end - g.first) as usize;
            frames(&pool, &g.synth, &g.latents, wanted, &mut |i, f| {
                sink(g.first + i as u64, f)
            })?;
        }
        // nothing comes any more, so the thread is at its end
        match thread.join() {
            Ok(sections) => self.sections = Some(sections),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        failed.map_or(Ok(()), Err)
    }
}

fn broken_off() -> Error {
    Error::Parameter("decoding was broken off; open the file again".into())
}

/// Strips of a picture are not cut thinner than this: their neighbours' rows are computed twice.
const MIN_STRIP_ROWS: usize = 32;

/// A pool of `threads` workers, 0 = one a processor.
pub fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::io("starting threads", std::io::Error::other(e)))
}

/// Computes the pictures `range` of a group with the latents `latents`, as many passes at once as
/// the pool has threads, and gives them out in order on this thread, with their index in the group,
/// while the next ones are computed.
pub fn frames(
    pool: &rayon::ThreadPool,
    synth: &Synth,
    latents: &[i16],
    range: Range<usize>,
    sink: &mut dyn FnMut(usize, Frame) -> Result<()>,
) -> Result<()> {
    let per_pass = synth.per_pass();
    let mut passes = range.start / per_pass..range.end.div_ceil(per_pass);
    let mut sink = |i: usize, f: Frame| {
        if range.contains(&i) {
            sink(i, f)
        } else {
            Ok(())
        }
    };
    passes_of(pool, synth, latents, &mut passes, &mut sink)
}

/// Computes the pictures of `passes`, as [`frames`].
pub fn passes_of(
    pool: &rayon::ThreadPool,
    synth: &Synth,
    latents: &[i16],
    passes: &mut dyn Iterator<Item = usize>,
    sink: &mut dyn FnMut(usize, Frame) -> Result<()>,
) -> Result<()> {
    let threads = pool.current_num_threads();
    let mut workers: Vec<Workspace> = Vec::new();
    let mut ready: Vec<(usize, Vec<Frame>)> = Vec::new();
    loop {
        let batch: Vec<usize> = passes.take(threads).collect();
        if workers.is_empty() || batch.len() < workers.len() {
            // fewer passes than threads are cut into strips
            let strips = (threads / batch.len().max(1))
                .min(synth.info().height / MIN_STRIP_ROWS)
                .max(1);
            workers = batch
                .iter()
                .map(|_| synth.workspace_in_strips(strips))
                .collect();
        }
        let mut pictures: Vec<Vec<Frame>> = batch.iter().map(|_| Vec::new()).collect();
        let mut result = Ok(());
        // the pictures of the batch before are given out meanwhile
        pool.in_place_scope(|scope| {
            for ((&pass, ws), out) in batch.iter().zip(&mut workers).zip(&mut pictures) {
                scope.spawn(move |_| *out = synth.frames(&synth.source(pass, latents), ws));
            }
            for (i, f) in ready.drain(..).flat_map(|(pass, f)| {
                f.into_iter()
                    .enumerate()
                    .map(move |(i, f)| (pass * synth.per_pass() + i, f))
            }) {
                result = sink(i, f);
                if result.is_err() {
                    break;
                }
            }
        });
        result?;
        ready = batch.into_iter().zip(pictures).collect();
        if ready.is_empty() {
            return Ok(());
        }
    }
}

//! READ THIS FIRST: from the bytes of a file to its frames.
//!
//! A file is a list of packets ([`bitstream`](crate::bitstream)): header, sections, index. A
//! section holds groups; a group holds a network and one latent a frame ([`group`](crate::group)),
//! entropy-coded ([`entropy`](crate::entropy)). The network's header is lowered to a graph
//! ([`network`](crate::network)), and the graph turns each latent into a picture
//! ([`synth`](crate::synth)). Nothing but integers is involved.

mod pictures;
mod sections;

use std::io::Read;
use std::ops::Range;
use std::sync::mpsc;

use crate::bitstream::container::{PacketReader, tag};
use crate::bitstream::header::{FORMAT_VERSION, SequenceHeader};
use crate::bitstream::light;
use crate::bitstream::limits::Limits;
use crate::error::{Error, Result};
use crate::frame::{Frame, VideoInfo};
use crate::group::preview;
use crate::synth::SimdLevel;
pub use pictures::{check_limits, frames, passes_of, pool};
pub use sections::Section;
use sections::{Sections, broken_off};

/// How to decode; the samples do not depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What a stream may ask for.
    pub limits: Limits,
    /// Instruction set.
    pub level: SimdLevel,
    /// Frames computed at once; 0 = one a processor.
    pub threads: usize,
    /// How often the sides of pictures are halved, rounded up: previews of pyramids, from their
    /// coarser grids. 0 is the whole picture.
    pub halvings: u8,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            limits: Limits::default(),
            level: SimdLevel::detect(),
            threads: 0,
            halvings: 0,
        }
    }
}

/// Reads a file section by section, from a pipe too; holds one section at a time.
pub struct StreamDecoder<R> {
    /// `None` once a decode was broken off: its reading goes on without us.
    sections: Option<Sections<R>>,
    options: Options,
    /// Of the pictures that are given out.
    info: VideoInfo,
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
            info: preview::info(&info, options.halvings)?,
        })
    }

    /// Geometry, format, rate and colour of the pictures that are given out.
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

    /// Bytes of the largest packet's payload so far. 0 after a decode that its sink broke off.
    pub fn largest_packet(&self) -> u64 {
        self.sections.as_ref().map_or(0, |s| s.packets.largest())
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

    /// [`StreamDecoder::next_section`] whatever the CRC says, as long as its headers can be read: an
    /// error of theirs where the CRC is wrong is the CRC's.
    pub fn next_section_unchecked(&mut self) -> Result<Option<Section>> {
        let sections = self.sections()?;
        let Some(packet) = sections.next_packet()? else {
            return Ok(None);
        };
        let checked = packet.check();
        let section = sections.parse(packet);
        section.or_else(|e| checked.and(Err(e))).map(Some)
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
        let (level, halvings) = (self.options.level, self.options.halvings);
        let mut sections = self.sections.take().ok_or_else(broken_off)?;
        let (send, receive) = mpsc::sync_channel(0);
        let reading = move || {
            if let Err(e) = sections.groups(&range, (level, halvings), &send) {
                // the receiver was dropped: discard
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

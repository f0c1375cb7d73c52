//! Sections of a file: their packets, checked headers, and groups made ready to be computed.

use std::io::Read;
use std::ops::Range;
use std::sync::mpsc::SyncSender;

use super::pictures::check_limits;
use crate::bitstream::container::{Packet, PacketReader, parse_index, tag};
use crate::bitstream::fields::Reader;
use crate::bitstream::header::{IndexEntry, SectionHeader};
use crate::bitstream::limits::Limits;
use crate::entropy::tensor::QuantizedNetwork;
use crate::error::{Error, Result};
use crate::frame::VideoInfo;
use crate::group::{Group, GroupLayout, preview};
use crate::synth::{SimdLevel, Synth, predictor};

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
        level: SimdLevel,
        sink: &mut dyn FnMut(u64, &GroupLayout, Group) -> Result<()>,
    ) -> Result<()> {
        self.groups_from(range, (level, 0), sink)
    }

    /// The same, where a pyramid's finest `grids` are of no interest and may be zero.
    pub(super) fn groups_from(
        &self,
        range: Range<u64>,
        (level, grids): (SimdLevel, u8),
        sink: &mut dyn FnMut(u64, &GroupLayout, Group) -> Result<()>,
    ) -> Result<()> {
        let predictor = &mut *predictor(level);
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
                let group = layout.decode_from(&mut r, previous.as_ref(), predictor, grids)?;
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

/// The packets of a file after its header.
pub(super) struct Sections<R> {
    pub(super) packets: PacketReader<R>,
    pub(super) limits: Limits,
    pub(super) info: VideoInfo,
    pub(super) index: Vec<IndexEntry>,
    pub(super) next_frame: u64,
    pub(super) ancillary_bytes: u64,
    pub(super) ended: bool,
}

impl<R: Read> Sections<R> {
    pub(super) fn parse(&mut self, packet: Packet) -> Result<Section> {
        let bytes = packet.bytes() as u32;
        let section = Section::parse(packet, self.next_frame, &self.info, &self.limits)?;
        self.next_frame += u64::from(section.header.frames);
        self.index.push(IndexEntry {
            frames: section.header.frames,
            bytes,
        });
        Ok(section)
    }

    pub(super) fn next_section(&mut self) -> Result<Option<Section>> {
        match self.next_packet()? {
            Some(p) => p.check().and_then(|()| self.parse(p)).map(Some),
            None => Ok(None),
        }
    }

    /// The next section packet; checks the index and that nothing follows it.
    pub(super) fn next_packet(&mut self) -> Result<Option<Packet>> {
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
    pub(super) fn groups(
        &mut self,
        range: &Range<u64>,
        (level, halvings): (SimdLevel, u8),
        out: &SyncSender<Result<Ready>>,
    ) -> Result<()> {
        let limits = self.limits;
        while let Some(section) = self.next_section()? {
            let mut gone = false;
            let ready = section.groups_from(
                range.clone(),
                (level, halvings),
                &mut |first, layout, group| {
                    let frames = range.start.max(first)
                        ..range.end.min(first + u64::from(layout.header.frames));
                    let synth = |graph: &_, group: &Group, info: &_| {
                        let synth = Synth::new(graph, &group.network, info, level)
                            .map_err(|e| e.at(layout.offset))?;
                        check_limits(&synth, &limits)?;
                        Ok::<Synth, Error>(synth)
                    };
                    let (synth, latents) = match halvings {
                        0 => (synth(&layout.graph, &group, &self.info)?, group.latents),
                        n => {
                            let r = preview::reduced(&group, &layout.graph, &self.info, n)?;
                            (synth(&r.graph, &r.group, &r.info)?, r.group.latents)
                        }
                    };
                    gone = out
                        .send(Ok(Ready {
                            synth,
                            latents,
                            first,
                            frames,
                        }))
                        .is_err();
                    // only to leave the loop: the error is discarded with the receiver
                    if gone { Err(broken_off()) } else { Ok(()) }
                },
            );
            if gone {
                return Ok(());
            }
            ready?;
        }
        Ok(())
    }
}

/// A group decoded, its pictures not yet computed.
pub(super) struct Ready {
    pub(super) synth: Synth,
    pub(super) latents: Vec<i16>,
    /// The group's first frame.
    pub(super) first: u64,
    /// Those of its frames that are wanted.
    pub(super) frames: Range<u64>,
}

/// What a decoder says whose reading goes on without it.
pub(super) fn broken_off() -> Error {
    Error::Parameter("decoding was broken off; open the file again".into())
}

//! What a decoder must refuse: all of 8x8 gray unless the fault needs another picture, so that
//! nothing else is unusual.

mod bounds;
mod container;
mod families;
mod pyramids;
mod scaled;
mod section;

use nvc::bitstream::MAGIC;
use nvc::group::Group;

use super::Vector;
use super::blocks::*;

/// Takes name, fault, bytes, exit code and part of the message.
type Add<'a> = &'a mut dyn FnMut(&'static str, &'static str, Vec<u8>, u8, &'static str);

/// In the order of the lists: the faults of the index come last though they are the container's.
pub fn faulty() -> Vec<Vector> {
    let mut out = Vec::new();
    let mut add = |name, what, bytes, code, message| {
        out.push(Vector {
            folder: "faulty",
            name,
            what,
            bytes,
            error: Some((code, message)),
        })
    };
    container::container(&mut add);
    container::sequence_header(&mut add);
    section::headers(&mut add);
    section::hnerv_fields(&mut add);
    section::over_large(&mut add);
    section::coded_parts(&mut add);
    section::frac_bits(&mut add);
    families::fields(&mut add);
    families::over_large(&mut add);
    families::networks(&mut add);
    pyramids::pyramids(&mut add);
    container::index(&mut add);
    container::light_packet(&mut add);
    bounds::container(&mut add);
    bounds::fields(&mut add);
    bounds::coded_values(&mut add);
    scaled::tensors(&mut add);
    out
}

fn group_of(seed: u64) -> Group {
    group(&gray8(), gray8_net(), 2, seed)
}

/// A file of two sections without a fault.
fn good() -> Vec<u8> {
    file(&gray8(), &[vec![group_of(70)], vec![group_of(71)]])
}

/// What comes before its first section.
fn front() -> Vec<u8> {
    [&MAGIC[..], &packet(b'H', &header(&gray8()))].concat()
}

fn head() -> Part {
    Part::Header(header(&gray8()))
}

/// A section of one group.
fn part() -> Part {
    let (n, p) = section(&gray8(), 0, &[group_of(70)]);
    Part::Section(n, p)
}

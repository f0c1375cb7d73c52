//! Annex B streams of H.264, HEVC and VVC: which of their bytes are messages that no picture
//! depends on.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Whose NAL unit header to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    H264,
    Hevc,
    Vvc,
}

impl Syntax {
    /// Whether a NAL unit is supplemental enhancement information: the encoder's name and settings,
    /// timing, hashes. Of VVC also the delimiter that libvvenc puts before every picture, which
    /// x264 and x265 do not.
    fn is_message(self, nal: &[u8]) -> bool {
        match self {
            Syntax::H264 => nal.first().is_some_and(|b| b & 31 == 6),
            Syntax::Hevc => nal.len() > 1 && matches!((nal[0] >> 1) & 63, 39 | 40),
            Syntax::Vvc => nal.len() > 1 && matches!(nal[1] >> 3, 20 | 23 | 24),
        }
    }
}

/// Bytes of a coded file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Those that count: without messages, where the stream has such.
    pub bytes: u64,
    /// All.
    pub whole: u64,
}

/// The size of a coded file, read piece by piece.
pub(super) fn size(path: &Path, syntax: Option<Syntax>) -> io::Result<Size> {
    let file = File::open(path)?;
    let whole = file.metadata()?.len();
    let bytes = match syntax {
        Some(syntax) => {
            let mut count = 0;
            without_messages(BufReader::with_capacity(1 << 18, file), syntax, |_| {
                count += 1
            })?;
            count
        }
        None => whole,
    };
    Ok(Size { bytes, whole })
}

/// The bytes of a stream without such messages, in the form that ffmpeg's `filter_units` gives it:
/// a unit that comes to stand first in its access unit takes over the four-byte start code.
fn without_messages(
    mut stream: impl BufRead,
    syntax: Syntax,
    each: impl FnMut(u8),
) -> io::Result<()> {
    let mut filter = Filter {
        syntax,
        each,
        unit: Unit::None,
        zeros: 0,
        long: false,
    };
    loop {
        let bytes = stream.fill_buf()?;
        if bytes.is_empty() {
            filter.end_unit();
            return Ok(());
        }
        bytes.iter().for_each(|&b| filter.take(b));
        let n = bytes.len();
        stream.consume(n);
    }
}

/// What is known of the unit that is being read.
enum Unit {
    /// There was no start code yet.
    None,
    /// Its bytes so far, fewer than its header has.
    Begun(Vec<u8>),
    /// No message.
    Kept,
    Message,
}

struct Filter<F> {
    syntax: Syntax,
    each: F,
    unit: Unit,
    /// Zeros since the last other byte. They belong to a start code if one follows: a NAL unit
    /// never ends in one.
    zeros: u64,
    /// Whether the next unit that is kept has the long start code.
    long: bool,
}

impl<F: FnMut(u8)> Filter<F> {
    fn take(&mut self, b: u8) {
        match b {
            0 => self.zeros += 1,
            1 if self.zeros >= 2 => {
                self.end_unit();
                self.long |= self.zeros >= 3;
                (self.unit, self.zeros) = (Unit::Begun(Vec::new()), 0);
            }
            _ => {
                for _ in 0..std::mem::take(&mut self.zeros) {
                    self.inside(0);
                }
                self.inside(b);
            }
        }
    }

    /// A byte of a unit.
    fn inside(&mut self, b: u8) {
        match &mut self.unit {
            Unit::Begun(head) => {
                head.push(b);
                if head.len() == 2 {
                    self.decide();
                }
            }
            Unit::Kept => (self.each)(b),
            Unit::None | Unit::Message => {}
        }
    }

    fn decide(&mut self) {
        let Unit::Begun(head) = std::mem::replace(&mut self.unit, Unit::Message) else {
            return;
        };
        if self.syntax.is_message(&head) {
            return;
        }
        let start: &[u8] = if std::mem::take(&mut self.long) {
            &[0, 0, 0, 1]
        } else {
            &[0, 0, 1]
        };
        start.iter().chain(&head).for_each(|&b| (self.each)(b));
        self.unit = Unit::Kept;
    }

    fn end_unit(&mut self) {
        if let Unit::Begun(_) = self.unit {
            self.decide();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_messages(stream: &[u8], syntax: Syntax) -> Vec<u8> {
        let mut out = Vec::new();
        super::without_messages(stream, syntax, |b| out.push(b)).unwrap();
        // however it comes, it is the same
        let mut torn = Vec::new();
        super::without_messages(BufReader::with_capacity(3, stream), syntax, |b| {
            torn.push(b)
        })
        .unwrap();
        assert_eq!(out, torn);
        out
    }

    /// The same by looking at the whole stream at once.
    fn simple(stream: &[u8], syntax: Syntax) -> Vec<u8> {
        let starts: Vec<usize> = (0..stream.len().saturating_sub(2))
            .filter(|&i| stream[i..i + 3] == [0, 0, 1])
            .collect();
        let (mut out, mut long) = (Vec::new(), false);
        for (n, &at) in starts.iter().enumerate() {
            let nal = &stream[at + 3..starts.get(n + 1).copied().unwrap_or(stream.len())];
            let nal = &nal[..nal.iter().rposition(|&b| b != 0).map_or(0, |p| p + 1)];
            long |= at > 0 && stream[at - 1] == 0;
            if !syntax.is_message(nal) {
                out.extend_from_slice(if long { &[0, 0, 0, 1] } else { &[0, 0, 1] });
                out.extend_from_slice(nal);
                long = false;
            }
        }
        out
    }

    #[test]
    fn piece_by_piece_is_as_at_once() {
        let mut state = 7u32;
        let mut random = |n: u32| {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 16) % n
        };
        for round in 0..3000 {
            let length = random(60);
            // mostly what start codes and headers of messages are made of
            let stream: Vec<u8> = (0..length)
                .map(|_| [0, 0, 0, 1, 1, 6, 0x4e, 0xb9, 0x65][random(9) as usize])
                .collect();
            for syntax in [Syntax::H264, Syntax::Hevc, Syntax::Vvc] {
                assert_eq!(
                    without_messages(&stream, syntax),
                    simple(&stream, syntax),
                    "{round}: {syntax:?} of {stream:?}"
                );
            }
        }
    }

    #[test]
    fn sizes_of_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.264");
        std::fs::write(
            &path,
            [0, 0, 0, 1, 0x67, 9, 0, 0, 1, 6, 5, 7, 0, 0, 1, 0x65, 5],
        )
        .unwrap();
        assert_eq!(
            size(&path, Some(Syntax::H264)).unwrap(),
            Size {
                bytes: 11,
                whole: 17
            }
        );
        assert_eq!(
            size(&path, None).unwrap(),
            Size {
                bytes: 17,
                whole: 17
            }
        );
        assert!(size(&dir.path().join("none"), None).is_err());
    }

    #[test]
    fn messages_are_left_out_of_all_three_syntaxes() {
        // Sequence header, two messages, a slice that holds no start code.
        let h264 = [
            0, 0, 0, 1, 0x67, 9, 9, 0, 0, 1, 6, 5, 7, 7, 7, 0, 0, 1, 6, 1, 7, 0, 0, 1, 0x65, 5, 0,
            2,
        ];
        assert_eq!(
            without_messages(&h264, Syntax::H264),
            [0, 0, 0, 1, 0x67, 9, 9, 0, 0, 1, 0x65, 5, 0, 2]
        );
        // Prefix message 39, suffix message 40.
        let hevc = [
            0, 0, 0, 1, 0x40, 1, 9, 0, 0, 1, 0x4e, 1, 5, 7, 7, 0, 0, 1, 0x26, 1, 5, 0, 0, 1, 0x50,
            1, 132,
        ];
        assert_eq!(
            without_messages(&hevc, Syntax::Hevc),
            [0, 0, 0, 1, 0x40, 1, 9, 0, 0, 1, 0x26, 1, 5]
        );
        // Types 20, 15 (sequence parameters), 23, 7, 24: the type is in the second byte.
        let vvc = [
            0, 0, 0, 1, 0, 0xa1, 0x90, 0, 0, 1, 0, 0x79, 9, 0, 0, 1, 0, 0xb9, 5, 0, 0, 1, 0, 0x39,
            5, 6, 0, 0, 1, 0, 0xc1, 1,
        ];
        assert_eq!(
            without_messages(&vvc, Syntax::Vvc),
            [0, 0, 0, 1, 0, 0x79, 9, 0, 0, 1, 0, 0x39, 5, 6]
        );
        // The same bytes are no messages to another syntax.
        assert_eq!(without_messages(&vvc, Syntax::Hevc), vvc);
    }

    #[test]
    fn the_first_unit_keeps_the_long_start_code() {
        let two = [
            0, 0, 0, 1, 6, 5, 9, 0, 0, 1, 0x41, 3, 0, 0, 0, 1, 6, 1, 9, 0, 0, 1, 0x41, 4,
        ];
        assert_eq!(
            without_messages(&two, Syntax::H264),
            [0, 0, 0, 1, 0x41, 3, 0, 0, 0, 1, 0x41, 4]
        );
    }

    #[test]
    fn torn_streams() {
        for (bytes, left) in [
            (&[][..], 0),
            (&[0, 0], 0),
            (&[0, 0, 1], 3),
            (&[5, 5, 5, 5], 0),
            (&[0, 0, 1, 6], 0),
            (&[0, 0, 0, 1, 0], 4),
        ] {
            assert_eq!(
                without_messages(bytes, Syntax::H264).len(),
                left,
                "{bytes:?}"
            );
        }
    }
}

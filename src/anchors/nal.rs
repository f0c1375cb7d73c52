//! Annex B streams of H.264, HEVC and VVC: which of their bytes are messages that no picture depends on.

/// Whose NAL unit header to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    H264,
    Hevc,
    Vvc,
}

impl Syntax {
    /// Whether a NAL unit is supplemental enhancement information: the encoder's name and settings, timing, hashes. Of VVC
    /// also the delimiter that libvvenc puts before every picture, which x264 and x265 do not.
    fn is_message(self, nal: &[u8]) -> bool {
        match self {
            Syntax::H264 => nal.first().is_some_and(|b| b & 31 == 6),
            Syntax::Hevc => nal.len() > 1 && matches!((nal[0] >> 1) & 63, 39 | 40),
            Syntax::Vvc => nal.len() > 1 && matches!(nal[1] >> 3, 20 | 23 | 24),
        }
    }
}

/// The stream without such messages, in the form that ffmpeg's `filter_units` gives it: a unit that
/// comes to stand first in its access unit takes over the four-byte start code.
pub(super) fn without_messages(stream: &[u8], syntax: Syntax) -> Vec<u8> {
    let starts = starts(stream);
    let mut out = Vec::with_capacity(stream.len());
    let mut long = false;
    for (n, &at) in starts.iter().enumerate() {
        let end = starts.get(n + 1).copied().unwrap_or(stream.len());
        let nal = &stream[at + 3..end];
        // Zeros before the next start code belong to it; a NAL unit never ends in one.
        let nal = &nal[..nal.iter().rposition(|&b| b != 0).map_or(0, |p| p + 1)];
        long |= at > 0 && stream[at - 1] == 0;
        if syntax.is_message(nal) {
            continue;
        }
        out.extend_from_slice(if long { &[0, 0, 0, 1] } else { &[0, 0, 1] });
        out.extend_from_slice(nal);
        long = false;
    }
    out
}

/// Where `0 0 1` stands.
fn starts(stream: &[u8]) -> Vec<usize> {
    let (mut at, mut starts) = (0, Vec::new());
    while at + 3 <= stream.len() {
        match stream[at + 2] {
            0 => at += 1,
            1 if stream[at] == 0 && stream[at + 1] == 0 => {
                starts.push(at);
                at += 3;
            }
            _ => at += 3,
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_left_out_of_all_three_syntaxes() {
        // Sequence header, two messages, a slice that holds no start code.
        let h264 = [0, 0, 0, 1, 0x67, 9, 9, 0, 0, 1, 6, 5, 7, 7, 7, 0, 0, 1, 6, 1, 7, 0, 0, 1, 0x65, 5, 0, 2];
        assert_eq!(without_messages(&h264, Syntax::H264), [0, 0, 0, 1, 0x67, 9, 9, 0, 0, 1, 0x65, 5, 0, 2]);
        // Prefix message 39, suffix message 40.
        let hevc = [0, 0, 0, 1, 0x40, 1, 9, 0, 0, 1, 0x4e, 1, 5, 7, 7, 0, 0, 1, 0x26, 1, 5, 0, 0, 1, 0x50, 1, 132];
        assert_eq!(without_messages(&hevc, Syntax::Hevc), [0, 0, 0, 1, 0x40, 1, 9, 0, 0, 1, 0x26, 1, 5]);
        // Types 20, 15 (sequence parameters), 23, 7, 24: the type is in the second byte.
        let vvc = [0, 0, 0, 1, 0, 0xa1, 0x90, 0, 0, 1, 0, 0x79, 9, 0, 0, 1, 0, 0xb9, 5, 0, 0, 1, 0, 0x39, 5, 6, 0, 0, 1, 0, 0xc1, 1];
        assert_eq!(without_messages(&vvc, Syntax::Vvc), [0, 0, 0, 1, 0, 0x79, 9, 0, 0, 1, 0, 0x39, 5, 6]);
        // The same bytes are no messages to another syntax.
        assert_eq!(without_messages(&vvc, Syntax::Hevc), vvc);
    }

    #[test]
    fn the_first_unit_keeps_the_long_start_code() {
        let two = [0, 0, 0, 1, 6, 5, 9, 0, 0, 1, 0x41, 3, 0, 0, 0, 1, 6, 1, 9, 0, 0, 1, 0x41, 4];
        assert_eq!(without_messages(&two, Syntax::H264), [0, 0, 0, 1, 0x41, 3, 0, 0, 0, 1, 0x41, 4]);
    }

    #[test]
    fn torn_streams() {
        for (bytes, left) in [(&[][..], 0), (&[0, 0], 0), (&[0, 0, 1], 3), (&[5, 5, 5, 5], 0), (&[0, 0, 1, 6], 0), (&[0, 0, 0, 1, 0], 4)] {
            assert_eq!(without_messages(bytes, Syntax::H264).len(), left, "{bytes:?}");
        }
    }
}

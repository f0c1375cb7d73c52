//! What is fuzzed: any bytes decode or are refused, however they arrive, and what is coded reads
//! back.
//!
//! `cargo fuzz run -s none decode fuzz/corpus/decode bitstream-spec/vectors/core bitstream-spec/vectors/faulty`
//! and the same for the others; `-s none` because the decoder has no unsafe code of its own, and it
//! is what a stable toolchain can do.

use std::io::Read;

use nvc::entropy::tensor::{Syntax, Tensor, blank_network, code_network};
use nvc::entropy::{Decoder as RangeDecoder, Encoder};
use nvc::network::{Activation, Graph, QuantStep};
use nvc::{Decoder, Frame, Limits, Options, Result};

/// Small enough that no input takes long.
fn options(threads: usize) -> Options {
    let limits = Limits {
        frame_samples: 1 << 14,
        section_bytes: 1 << 20,
        group_values: 1 << 18,
        section_nodes: 1 << 10,
        pass_activations: 1 << 22,
        pass_macs: 1 << 26,
    };
    Options {
        limits,
        threads,
        ..Options::default()
    }
}

/// Frames before the first error, at most a few, and how it ended.
fn decode(reader: impl Read + Send + 'static) -> (Vec<Frame>, Result<()>) {
    let mut frames = Vec::new();
    let decoder = match Decoder::with_options(reader, options(1)) {
        Ok(d) => d,
        Err(e) => return (frames, Err(e)),
    };
    for frame in decoder.frames(0..8) {
        match frame {
            Ok((_, f)) => frames.push(f),
            Err(e) => return (frames, Err(e)),
        }
    }
    (frames, Ok(()))
}

/// Any bytes.
pub fn any_bytes(data: &[u8]) {
    let _ = decode(std::io::Cursor::new(data.to_vec()));
}

/// A reader that gives a few bytes at a time.
struct Pieces(std::io::Cursor<Vec<u8>>, u8);

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.1 = self.1.wrapping_mul(5).wrapping_add(1);
        let n = buf.len().min(1 + usize::from(self.1 % 7));
        self.0.read(&mut buf[..n])
    }
}

/// The same frames and the same end, in whatever pieces the bytes arrive.
pub fn in_pieces(data: &[u8]) {
    let whole = decode(std::io::Cursor::new(data.to_vec()));
    let pieces = decode(Pieces(std::io::Cursor::new(data.to_vec()), 3));
    assert_eq!(whole.0, pieces.0);
    let said = |r: &Result<()>| r.as_ref().err().map(ToString::to_string);
    assert_eq!(said(&whole.1), said(&pieces.1));
}

/// Latents, a shuffle, a nonlinearity and an output: some 500 parameters.
fn small_graph() -> Graph {
    let mut graph = Graph::new([3, 2, 2]);
    let stem = graph.conv2d("stem", 0, 24, 3);
    let x = graph.pixel_shuffle(stem, 2);
    let x = graph.activate(x, Activation::Gelu);
    let head = graph.conv2d("head", x, 1, 3);
    graph.output(head, 0);
    graph
}

/// A small network with values from `data` reads back as written, alone and after itself.
pub fn coded_networks(data: &[u8]) {
    let graph = small_graph();
    let mut bytes = data.iter().copied().chain(std::iter::repeat(0));
    let mut next = || bytes.next().unwrap_or(0);
    let mut network = blank_network(&graph);
    for t in &mut network.tensors {
        let step = QuantStep {
            mantissa: next() | 128,
            exponent: next() % (QuantStep::MAX_EXPONENT + 1),
        };
        let wide = next() % 16;
        let values = t
            .values
            .iter()
            .map(|_| (i16::from_le_bytes([next(), next()]) >> wide).max(-32767))
            .collect();
        *t = Tensor {
            step,
            values,
            scaled: None,
        };
    }
    let own = |i: usize| graph.nodes[i].op.has_frac_bits();
    network
        .frac_bits
        .iter_mut()
        .enumerate()
        .filter(|(i, _)| own(*i))
        .for_each(|(_, s)| *s = next() % 12);
    let previous = network.clone();
    for syntax in [
        Syntax::Plain,
        Syntax::Modes {
            previous: None,
            laws: false,
        },
        Syntax::Modes {
            previous: Some(&previous),
            laws: true,
        },
    ] {
        let mut e = Encoder::default();
        // what the syntax has no room for is refused, and not coded wrongly
        if code_network(&mut e, &graph, &network, syntax).is_err() {
            continue;
        }
        let coded = e.finish();
        let mut d = RangeDecoder::new(&coded, 0).expect("a stream");
        let back =
            code_network(&mut d, &graph, &blank_network(&graph), syntax).expect("what was coded");
        assert!(back == network, "another network");
    }
}

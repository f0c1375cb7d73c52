//! Annex B of the document: the smallest file, byte for byte and number for number.

use nvc::bitstream::header::SequenceHeader;
use nvc::decoder::{Options, StreamDecoder};
use nvc::entropy::{Bit, Coder, ValueModel};
use nvc::group::GroupLayout;
use nvc::network::Op;
use nvc::network::QuantStep;
use nvc::synth::SimdLevel;
use nvc::synth::reference::Reference;

/// Text of annex B for `tiny.nvc`.
pub fn example(bytes: &[u8]) -> String {
    let mut d = StreamDecoder::new(bytes, Options::default()).unwrap();
    let info = *d.info();
    let s = d.next_section().unwrap().unwrap();
    let (_, layout) = &s.groups[0];
    let g = {
        let mut only = None;
        s.groups_in(0..1, SimdLevel::Reference, &mut |_, _, g| {
            only = Some(g);
            Ok(())
        })
        .unwrap();
        only.unwrap()
    };
    let mut out = format!(
        "The file [`vectors/core/tiny.nvc`](vectors/core/tiny.nvc) has {} bytes: one gray frame of {}x{}.\n\n```\noffset  bytes\n",
        bytes.len(),
        info.width,
        info.height
    );
    let mut at = 0;
    let mut line = |n: usize, what: &str| {
        for (k, row) in bytes[at..at + n].chunks(12).enumerate() {
            let hex: Vec<String> = row.iter().map(|b| format!("{b:02x}")).collect();
            out += format!(
                "{:>6}  {:<36} {}",
                at + 12 * k,
                hex.join(" "),
                if k == 0 { what } else { "" }
            )
            .trim_end();
            out += "\n";
        }
        at += n;
    };
    line(8, "magic");
    line(5, "tag H, 13 bytes");
    for (name, v) in SequenceHeader::new(&info).unwrap().dump() {
        line(1, &format!("{name} = {v}"));
    }
    line(4, "CRC-32");
    line(5, &format!("tag S, {} bytes", s.packet.payload.len()));
    for (name, v) in s.header.dump().into_iter().chain(layout.header.dump()) {
        line(1, &format!("{name} = {v}"));
    }
    for (name, v) in g.arch.dump() {
        line(1, &format!("{name} = {v}"));
    }
    for (k, stage) in g.arch.stages().iter().enumerate() {
        for (name, v) in stage.dump() {
            line(1, &format!("stage {k}: {name} = {v}"));
        }
    }
    line(layout.header.weights_bytes as usize, "coded network");
    line(layout.header.latents_bytes as usize, "coded latents");
    line(4, "CRC-32");
    line(5, "tag I, 10 bytes");
    line(1, "frames = 1");
    line(1, &format!("bytes = {}", s.packet.bytes()));
    line(8, "offset of the index");
    line(4, "CRC-32");
    assert_eq!(at, bytes.len());
    let text = |v: &[i16]| v.iter().map(i16::to_string).collect::<Vec<_>>().join(" ");
    let step = |s: QuantStep| format!("{} * 2^-{}", s.mantissa, s.exponent);
    out += &format!(
        "```\n\nThe coded network holds\n\n```\nlatent step    {}\nfraction bits ",
        step(g.network.latent_step)
    );
    for (k, n) in layout
        .graph
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, n)| n.op.has_frac_bits())
    {
        let _ = n;
        out += &format!(" node {k}: {}", g.network.frac_bits[k]);
    }
    out += "\n";
    for (t, spec) in g.network.tensors.iter().zip(&layout.graph.tensors) {
        out += &format!(
            "{:<14} step {:<12}  {}\n",
            spec.name,
            step(t.step),
            text(&t.values)
        );
    }
    out += &format!(
        "```\n\nand the coded latents `temporal` = 0 and {}.\n\nActivations, a channel a line:\n\n```\n",
        text(&g.latents)
    );
    let values = Reference::new(&layout.graph, &g.network).unwrap().nodes(
        &nvc::synth::Synth::new(
            &layout.graph,
            &g.network,
            &info,
            nvc::synth::SimdLevel::Reference,
        )
        .unwrap()
        .source(0, &g.latents),
    );
    for (k, (n, v)) in layout.graph.nodes.iter().zip(&values).enumerate() {
        let name = match n.op {
            Op::Latent(_) => "latent",
            Op::Conv2d(_) => "convolution",
            Op::PixelShuffle(_) => "pixel shuffle",
            Op::Activate(_) => "GELU",
            _ => panic!("{:?} in an HNeRV", n.op),
        };
        let [c, rows, columns] = n.shape;
        out += &format!("node {k}, {name}, [{c}][{rows}][{columns}]\n");
        for channel in v.chunks(rows * columns) {
            let rows: Vec<String> = channel.chunks(columns).map(text).collect();
            out += &format!("    {}\n", rows.join(" / "));
        }
    }
    let mut frame = None;
    StreamDecoder::new(std::io::Cursor::new(bytes.to_vec()), Options::default())
        .unwrap()
        .decode(0..1, &mut |_, f| {
            frame = Some(f);
            Ok(())
        })
        .unwrap();
    let plane = &frame.unwrap().planes[0];
    let rows: Vec<String> = plane
        .data
        .chunks(plane.width)
        .map(|r| r.iter().map(u16::to_string).collect::<Vec<_>>().join(" "))
        .collect();
    out += &format!("samples\n    {}\n```\n\n", rows.join(" / "));

    // the first bits, to check a range decoder and its contexts with
    let mut trace = Trace {
        inner: nvc::entropy::Decoder::new(&coded_network(bytes, layout), 0).unwrap(),
        rows: Vec::new(),
    };
    let mut model = ValueModel::new(3);
    let frac_bits = layout
        .graph
        .nodes
        .iter()
        .filter(|n| n.op.has_frac_bits())
        .count();
    let integers: Vec<String> = [0, 1]
        .into_iter()
        .chain((0..frac_bits).map(|_| 2))
        .map(|class| model.code(&mut trace, class, 0).unwrap().to_string())
        .collect();
    out += "The first bits of the coded network, those of the latent step and the fraction bits, as `p1: bit`:\n\n```\n";
    let bits: Vec<String> = trace
        .rows
        .iter()
        .map(|(p, b)| format!("{p}: {}", u8::from(*b)))
        .collect();
    for row in bits.chunks(8) {
        out += &format!("{}\n", row.join("   "));
    }
    out += &format!(
        "```\n\nThey are the integers {}: E, M - 128, and the fraction bits.\n",
        integers.join(", ")
    );
    out
}

fn coded_network(bytes: &[u8], layout: &GroupLayout) -> Vec<u8> {
    let at = (layout.offset + layout.header_bytes) as usize;
    bytes[at..at + layout.header.weights_bytes as usize].to_vec()
}

struct Trace {
    inner: nvc::entropy::Decoder,
    rows: Vec<(u32, bool)>,
}

impl Coder for Trace {
    fn code(&mut self, context: &mut Bit, bit: bool) -> nvc::Result<bool> {
        let p1 = context.p1();
        let b = self.inner.code(context, bit)?;
        self.rows.push((p1, b));
        Ok(b)
    }

    fn symbol_near(
        &mut self,
        size: u32,
        near: u32,
        below: impl Fn(u32) -> u32,
        v: u32,
    ) -> nvc::Result<u32> {
        self.inner.symbol_near(size, near, below, v)
    }

    fn reads(&self) -> bool {
        true
    }
}

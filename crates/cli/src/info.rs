//! `nvc info`: what a file holds, byte by byte.

use std::io::Read;

use serde_json::{Value, json};

use super::args::InfoArgs;
use super::say::print_line;
use super::stream::{of_stream, open_stream};
use nvc::bitstream::Limits;
use nvc::bitstream::container::PACKET_OVERHEAD;
use nvc::bitstream::header::FORMAT_VERSION;
use nvc::decoder::{Options, Section, StreamDecoder};
use nvc::error::Result;
use nvc::frame::{ContentLight, Mastering, Range, VideoInfo};
use nvc::group::GroupLayout;
use nvc::synth::{SimdLevel, predictor};

/// Prints the structure of `a.input`.
pub fn run(a: &InfoArgs) -> Result<()> {
    info(a).map_err(|e| of_stream(&a.input, e))
}

fn info(a: &InfoArgs) -> Result<()> {
    let out = describe(StreamDecoder::new(
        open_stream(&a.input)?,
        Options::default(),
    )?)?;
    if a.json {
        print_line(&out.to_string())
    } else {
        print_line(text(&out).trim_end())
    }
}

fn describe(mut d: StreamDecoder<impl Read>) -> Result<Value> {
    let info = *d.info();
    let header_bytes = d.bytes_read() - d.ancillary_bytes();
    let mut sections = Vec::new();
    let mut asked = Limits {
        frame_samples: (info.width * info.height) as u64,
        ..Limits::none()
    };
    while let Some(s) = d.next_section_unchecked()? {
        asked = asked.larger(&asks(&s));
        sections.push(section_json(&s, &info));
    }
    asked.section_bytes = d.largest_packet();
    let section_bytes: u64 = sections
        .iter()
        .map(|s| s["bytes"].as_u64().unwrap_or(0))
        .sum();
    let (bytes, frames, ancillary) = (d.bytes_read(), d.frames_read(), d.ancillary_bytes());
    let pixels = info.width as f64 * info.height as f64 * frames as f64;
    Ok(json!({
        "format_version": FORMAT_VERSION, "level": asked.level(),
        "bytes": bytes,
        "bpp": if frames > 0 { bytes as f64 * 8.0 / pixels } else { 0.0 },
        "width": info.width, "height": info.height, "frames": frames,
        "fps": ratio(info.fps.num, info.fps.den),
        "sar": ratio(info.sar.num, info.sar.den),
        "pix_fmt": info.format.name(),
        "color": {
            "primaries": info.color.primaries, "transfer": info.color.transfer, "matrix": info.color.matrix,
            "range": match info.color.range { Range::Unspecified => "unspecified", Range::Limited => "limited", Range::Full => "full" },
            "chroma_location": info.color.siting.name(),
            "mastering_display": info.color.light.and_then(|l| l.mastering).map(mastering_json),
            "content_light": info.color.light.and_then(|l| l.content).map(|c| {
                let ContentLight { max_cll, max_fall } = c;
                json!({ "max_cll": max_cll, "max_fall": max_fall })
            }),
        },
        "arch": sections.first().map(|s| s["groups"][0]["arch"].clone()),
        "bytes_by_part": {
            "sequence_header": header_bytes, "sections": section_bytes, "ancillary": ancillary,
            "index": bytes - header_bytes - section_bytes - ancillary,
        },
        "sections": sections,
    }))
}

/// What a section asks of a decoder.
fn asks(s: &Section) -> Limits {
    s.groups.iter().fold(Limits::none(), |all, (_, g)| {
        let group = g.graph.asks(g.header.frames as usize);
        let section_nodes = all.section_nodes + group.section_nodes;
        Limits {
            section_nodes,
            ..all.larger(&group)
        }
    })
}

/// Chromaticities as x and y, luminance in cd/m2.
fn mastering_json(m: Mastering) -> Value {
    let xy = |p: [u16; 2]| p.map(|v| f64::from(v) / 50_000.0);
    let candelas = |v: u32| f64::from(v) / 10_000.0;
    json!({
        "red": xy(m.red), "green": xy(m.green), "blue": xy(m.blue), "white": xy(m.white),
        "max_luminance": candelas(m.max_luminance), "min_luminance": candelas(m.min_luminance),
    })
}

fn ratio(num: u32, den: u32) -> Value {
    if den == 0 {
        Value::Null
    } else {
        json!(format!("{num}/{den}"))
    }
}

fn section_json(s: &Section, info: &VideoInfo) -> Value {
    let mut groups: Vec<Value> = s
        .groups
        .iter()
        .map(|(first, g)| group_json(*first, g, info))
        .collect();
    // those before what is damaged are told of
    let _ = grid_bits(s, &mut groups);
    let in_groups: u64 = s
        .groups
        .iter()
        .map(|(_, g)| g.header_bytes + g.coded_bytes() as u64)
        .sum();
    json!({
        "offset": s.packet.offset, "bytes": s.packet.bytes(),
        "first_frame": s.header.first_frame, "frames": s.header.frames,
        "crc_ok": s.packet.crc_ok,
        "bytes_by_part": { "packet": PACKET_OVERHEAD, "section_header": s.packet.bytes() - PACKET_OVERHEAD - in_groups, "groups": in_groups },
        "groups": groups,
    })
}

/// Adds the bits of each grid to groups that have grids.
fn grid_bits(s: &Section, groups: &mut [Value]) -> Result<()> {
    if s.groups
        .iter()
        .all(|(_, g)| g.arch.context_coded().is_none())
    {
        return Ok(());
    }
    let mut groups = groups.iter_mut();
    s.groups_in(0..u64::MAX, SimdLevel::detect(), &mut |_, layout, group| {
        let bits = group.grid_bits(&layout.graph, &mut *predictor(SimdLevel::detect()))?;
        if let Some(json) = groups.next().filter(|_| !bits.is_empty()) {
            json["grid_bits"] = json!(bits);
        }
        Ok(())
    })
}

fn group_json(first: u64, g: &GroupLayout, info: &VideoInfo) -> Value {
    let pixels = (info.width * info.height) as f64;
    let fields = |f: Vec<(&'static str, u32)>| {
        f.into_iter()
            .map(|(k, v)| (k.to_string(), json!(v)))
            .collect::<serde_json::Map<_, _>>()
    };
    json!({
        "first_frame": first, "frames": g.header.frames, "arch": g.arch.name(), "offset": g.offset,
        "params": g.graph.params(), "latents": g.graph.latent_len() * g.graph.passes(g.header.frames as usize),
        "macs_per_pixel": g.graph.macs() as f64 / (pixels * g.graph.frames as f64),
        "bytes": { "header": g.header_bytes, "weights": g.header.weights_bytes, "latents": g.header.latents_bytes },
        "bits_per_param": f64::from(g.header.weights_bytes) * 8.0 / g.graph.params() as f64,
        g.arch.name(): { "header": fields(g.arch.dump()), "stages": g.arch.stages().iter().map(|s| fields(s.dump())).collect::<Vec<_>>() },
    })
}

fn text(v: &Value) -> String {
    let s = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_string);
    let mut t = format!(
        "{} bytes, {:.5} bpp, format version {}, level {}\n{}x{} {}, {} frames at {} fps{}\n",
        v["bytes"],
        v["bpp"].as_f64().unwrap_or(0.0),
        v["format_version"],
        v["level"],
        v["width"],
        v["height"],
        s(&v["pix_fmt"]),
        v["frames"],
        s(&v["fps"]),
        match s(&v["sar"]).as_str() {
            "null" | "1/1" => String::new(),
            sar => format!(", samples of aspect {sar}"),
        }
    );
    let c = &v["color"];
    t += &format!(
        "colour: primaries {}, transfer {}, matrix {}, range {}, chroma location {}\n",
        c["primaries"],
        c["transfer"],
        c["matrix"],
        s(&c["range"]),
        s(&c["chroma_location"])
    );
    let m = &c["mastering_display"];
    if !m.is_null() {
        let xy = |name: &str| format!("{name} {} {}", m[name][0], m[name][1]);
        let primaries = ["red", "green", "blue", "white"].map(xy).join(", ");
        t += &format!(
            "mastering display: {primaries}, luminance {} to {} cd/m2\n",
            m["min_luminance"], m["max_luminance"]
        );
    }
    let l = &c["content_light"];
    if !l.is_null() {
        t += &format!(
            "content light: MaxCLL {}, MaxFALL {} cd/m2\n",
            l["max_cll"], l["max_fall"]
        );
    }
    let p = &v["bytes_by_part"];
    t += &format!(
        "bytes: sequence header {}, sections {}, index {}",
        p["sequence_header"], p["sections"], p["index"]
    );
    t += &if p["ancillary"] == json!(0) {
        "\n".into()
    } else {
        format!(", ancillary packets {}\n", p["ancillary"])
    };
    for sec in v["sections"].as_array().into_iter().flatten() {
        let first = sec["first_frame"].as_u64().unwrap_or(0);
        let end = first + sec["frames"].as_u64().unwrap_or(0);
        let crc = if sec["crc_ok"] == json!(true) {
            "CRC ok"
        } else {
            "CRC WRONG"
        };
        t += &format!(
            "section at {}: frames {first}..{end}, {} bytes ({} of its packet, {} of its header), {crc}\n",
            sec["offset"],
            sec["bytes"],
            sec["bytes_by_part"]["packet"],
            sec["bytes_by_part"]["section_header"]
        );
        for g in sec["groups"].as_array().into_iter().flatten() {
            let b = &g["bytes"];
            t += &format!(
                "  group {}: {} frames, {} parameters, {} latents, {:.0} MAC/pixel; bytes: header {}, weights {} ({:.2} bits each), latents {}\n",
                s(&g["arch"]),
                g["frames"],
                g["params"],
                g["latents"],
                g["macs_per_pixel"].as_f64().unwrap_or(0.0),
                b["header"],
                b["weights"],
                g["bits_per_param"].as_f64().unwrap_or(0.0),
                b["latents"]
            );
            let grids = g["grid_bits"].as_array().into_iter().flatten();
            let grids: Vec<String> = grids.map(Value::to_string).collect();
            if !grids.is_empty() {
                t += &format!("    bits of the grids, finest first: {}\n", grids.join(" "));
            }
        }
    }
    t
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(name: &str) -> Value {
        let path = format!(
            "{}/../../bitstream-spec/vectors/{name}",
            env!("CARGO_MANIFEST_DIR")
        );
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let v = describe(StreamDecoder::new(&bytes[..], Options::default()).unwrap()).unwrap();
        assert_eq!(v["bytes"], json!(bytes.len()), "{name}");
        let sum: u64 = v["bytes_by_part"]
            .as_object()
            .unwrap()
            .values()
            .map(|v| v.as_u64().unwrap())
            .sum();
        assert_eq!(sum, bytes.len() as u64, "{name}");
        v
    }

    #[test]
    fn chroma_locations() {
        for (name, word) in [
            ("core/yuv420.nvc", "unspecified"),
            ("uncommon/siting-centre.nvc", "centre"),
        ] {
            let v = vector(name);
            assert_eq!(v["color"]["chroma_location"], word);
            assert!(
                text(&v).contains(&format!("chroma location {word}\n")),
                "{}",
                text(&v)
            );
        }
    }

    #[test]
    fn bits_of_grids_are_those_of_the_latents() {
        let v = vector("core/pyramid-gray-empty.nvc");
        let g = &v["sections"][0]["groups"][0];
        let bits: Vec<u64> = serde_json::from_value(g["grid_bits"].clone()).unwrap();
        assert_eq!((bits.len(), bits[0], bits[2]), (4, 0, 0));
        // the coder ends in whole words
        let coded = 8 * g["bytes"]["latents"].as_u64().unwrap();
        assert!(
            bits.iter().sum::<u64>().abs_diff(coded) <= 64,
            "{bits:?} of {coded}"
        );
        assert!(
            text(&v).contains("bits of the grids, finest first: 0 "),
            "{}",
            text(&v)
        );
        assert!(vector("core/gray.nvc")["sections"][0]["groups"][0]["grid_bits"].is_null());
    }

    #[test]
    fn light() {
        let v = vector("uncommon/light.nvc");
        let display = json!({
            "red": [0.68, 0.32], "green": [0.265, 0.69], "blue": [0.15, 0.06], "white": [0.3127, 0.329],
            "max_luminance": 1000.0, "min_luminance": 0.005,
        });
        assert_eq!(v["color"]["mastering_display"], display);
        assert_eq!(
            v["color"]["content_light"],
            json!({ "max_cll": 1000, "max_fall": 400 })
        );
        assert_eq!(v["bytes_by_part"]["sequence_header"], json!(8 + 9 + 13));
        let t = text(&v);
        assert!(
            t.contains("red 0.68 0.32, green 0.265 0.69")
                && t.contains("luminance 0.005 to 1000.0 cd/m2"),
            "{t}"
        );
        assert!(t.contains("MaxCLL 1000, MaxFALL 400"), "{t}");
        for name in ["uncommon/light-none.nvc", "core/tiny.nvc"] {
            let c = &vector(name)["color"];
            assert!(
                c["mastering_display"].is_null() && c["content_light"].is_null(),
                "{name}: {c}"
            );
        }
        assert_eq!(
            vector("uncommon/light-content.nvc")["color"]["content_light"],
            json!({ "max_cll": 1000, "max_fall": 400 })
        );
        assert_eq!(
            vector("uncommon/ancillary.nvc")["bytes_by_part"]["ancillary"],
            json!(9 * 3 + 14 + 40)
        );
    }
}

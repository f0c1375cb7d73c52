//! The reference decoder in Python, `bitstream-spec/reference/decode.py`.

use std::process::{Command, Stdio};

use md5::{Digest, Md5};
use nvc::decoder::{Options, StreamDecoder};
use nvc::synth::reference::Reference;
use nvc::synth::{SimdLevel, Synth};

use super::support::skipped;
use super::{hex, list, macs, path};

fn has_python() -> bool {
    let version = Command::new("python3").arg("--version").output();
    version.is_ok_and(|o| o.status.success())
}

#[test]
fn the_reference_decoder_in_python_gives_the_md5s() {
    if !has_python() {
        return skipped("python3 is missing, so bitstream-spec/reference/decode.py is not tested");
    }
    // as many as plain Python does in about a second; the few vectors with more take several times
    // as long
    let short = |name: &String| macs(&std::fs::read(path(name)).unwrap()) <= 6_000_000;
    let vectors: Vec<(String, String)> = list("md5.txt")
        .into_iter()
        .filter(|(name, _)| short(name))
        .collect();
    assert!(
        vectors.len() >= 40,
        "only {} vectors are short enough",
        vectors.len()
    );
    let start = |name: &String| {
        let mut c = Command::new("python3");
        c.arg(path("../reference/decode.py"))
            .arg(path(name))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    for some in vectors.chunks(4) {
        let running: Vec<_> = some.iter().map(|(name, _)| start(name)).collect();
        for ((name, expected), process) in some.iter().zip(running) {
            let o = process.wait_with_output().unwrap();
            let (printed, complaint) = (
                String::from_utf8_lossy(&o.stdout),
                String::from_utf8_lossy(&o.stderr),
            );
            assert!(o.status.success(), "{name}: {}: {complaint}", o.status);
            assert_eq!(printed.trim_end(), format!("MD5={expected}"), "{name}");
        }
    }
}

#[test]
fn the_reference_decoder_in_python_traces_every_node() {
    if !has_python() {
        return skipped("python3 is missing, so the traces of decode.py are not tested");
    }
    let sum = |values: &[i16]| -> String {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        hex(&Md5::digest(&bytes))
    };
    for name in [
        "core/tiny.nvc",
        "core/pyramid-residual.nvc",
        "core/nervpp-chain.nvc",
        "uncommon/nirvana-more-frames.nvc",
    ] {
        let mut wanted = Vec::new();
        let bytes = std::fs::read(path(name)).unwrap();
        let mut d = StreamDecoder::new(&bytes[..], Options::default()).unwrap();
        let info = *d.info();
        while let Some(s) = d.next_section().unwrap() {
            let level = SimdLevel::Reference;
            s.groups_in(0..u64::MAX, level, &mut |_, layout, group| {
                let graph = &layout.graph;
                wanted.extend(group.network.tensors.iter().map(|t| sum(&t.values)));
                let synth = Synth::new(graph, &group.network, &info, level).unwrap();
                let reference = Reference::new(graph, &group.network).unwrap();
                let len = graph.latent_len();
                for pass in 0..graph.passes(group.frames) {
                    if len > 0 {
                        wanted.push(sum(&group.latents[pass * len..][..len]));
                    }
                    let nodes = reference.nodes(&synth.source(pass, &group.latents));
                    wanted.extend(nodes.iter().map(|n| sum(n)));
                }
                Ok(())
            })
            .unwrap();
        }
        let o = Command::new("python3")
            .args([path("../reference/decode.py"), "--trace".into(), path(name)])
            .output()
            .unwrap();
        let printed = String::from_utf8(o.stdout).unwrap();
        let told = printed.lines().filter_map(|l| {
            let last = l.rsplit(' ').next()?;
            (!l.starts_with("MD5=") && last.len() == 32).then_some(last)
        });
        let told: Vec<&str> = told.collect();
        assert!(told.len() > 10 && told == wanted, "{name}: {printed}");
    }
}

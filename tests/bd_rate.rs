//! BD-rate and BD-PSNR against the Python package bjontegaard: on pairs of curves with its answers
//! beside them, and, where Python is at hand, on random pairs.

#[path = "../crates/media/tests/support/mod.rs"]
mod support;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use nvc::metrics::bd_rate::{Method, bd_psnr, bd_rate};
use serde_json::{Value, json};
use support::skipped;

/// Each line is one of tests/bd_rate/expected.py.
const FIXED: &str = include_str!("bd_rate/pairs.jsonl");

fn method(pair: &Value) -> Method {
    *Method::ALL
        .iter()
        .find(|m| pair["method"] == m.name())
        .unwrap()
}

fn curve(value: &Value) -> Vec<(f64, f64)> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p[0].as_f64().unwrap(), p[1].as_f64().unwrap()))
        .collect()
}

/// Largest deviation of both figures, relative to the larger of 1 and the expected one.
fn deviation(pair: &Value) -> f64 {
    let (anchor, test) = (curve(&pair["anchor"]), curve(&pair["test"]));
    let rate = bd_rate(&anchor, &test, method(pair))
        .unwrap_or_else(|why| panic!("{why}: {pair}"))
        .value;
    let psnr = bd_psnr(&anchor, &test, method(pair))
        .unwrap_or_else(|why| panic!("{why}: {pair}"))
        .value;
    let off = |ours: f64, key: &str| {
        let want = pair[key].as_f64().unwrap();
        assert!(
            (ours - want).abs() <= 1e-6 * want.abs().max(1.0),
            "{key}: {ours} against {want}: {pair}"
        );
        (ours - want).abs() / want.abs().max(1.0)
    };
    off(rate, "bd_rate").max(off(psnr, "bd_psnr"))
}

#[test]
fn fixed_pairs_agree_with_bjontegaard() {
    let pairs: Vec<Value> = FIXED
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(pairs.len(), 18);
    for m in Method::ALL {
        assert_eq!(pairs.iter().filter(|p| p["method"] == m.name()).count(), 6);
    }
    pairs.iter().for_each(|p| {
        deviation(p);
        // the order in which points come does not matter
        let mut turned = p.clone();
        turned["test"].as_array_mut().unwrap().reverse();
        turned["anchor"].as_array_mut().unwrap().rotate_left(2);
        deviation(&turned);
    });
}

/// splitmix64, to [0, 1).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }

    /// A curve as codecs make them: rates grow by factors, quality by decreasing decibels, all
    /// uneven.
    fn curve(&mut self, points: usize) -> Vec<(f64, f64)> {
        let (mut rate, mut quality) = (self.range(0.01, 0.05), self.range(29.0, 31.0));
        let step = self.range(1.5, 2.5);
        (0..points)
            .map(|i| {
                let point = (rate, quality);
                rate *= self.range(1.3, 2.6);
                quality += step * self.range(0.4, 1.3) / (1.0 + 0.1 * i as f64);
                point
            })
            .collect()
    }
}

/// Pairs that overlap enough; every third has unequal numbers of points.
fn random_pairs(method: Method, count: usize, seed: u64) -> Vec<Value> {
    let mut rng = Rng(seed);
    let mut pairs = Vec::new();
    while pairs.len() < count {
        let (n, other) = (
            4 + (rng.next() * 5.0) as usize,
            4 + (rng.next() * 5.0) as usize,
        );
        let (anchor, test) = (
            rng.curve(n),
            rng.curve(if pairs.len() % 3 == 0 { other } else { n }),
        );
        if bd_rate(&anchor, &test, method).is_ok() && bd_psnr(&anchor, &test, method).is_ok() {
            pairs.push(json!({"anchor": anchor, "test": test, "method": method.name()}));
        }
    }
    pairs
}

#[test]
fn random_pairs_agree_with_bjontegaard() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = Command::new(root.join("scripts/python-env.sh"))
        .stdout(Stdio::null())
        .output();
    match made {
        Ok(o) if o.status.success() => {}
        Ok(o) => {
            return skipped(&format!(
                "no Python environment: {}",
                String::from_utf8_lossy(&o.stderr).trim()
            ));
        }
        Err(e) => return skipped(&format!("scripts/python-env.sh: {e}")),
    }
    for method in Method::ALL {
        let pairs = random_pairs(method, 100, 7 + method as u64);
        let mut python = Command::new(root.join("target/pyenv/bin/python"))
            .arg(root.join("tests/bd_rate/expected.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let text: String = pairs.iter().map(|p| format!("{p}\n")).collect();
        python
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let out = python.wait_with_output().unwrap();
        assert!(out.status.success());
        let answers: Vec<Value> = String::from_utf8(out.stdout)
            .unwrap()
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(answers.len(), 100);
        let worst = answers.iter().map(deviation).fold(0.0, f64::max);
        eprintln!(
            "{}: largest deviation from bjontegaard {worst:.1e}",
            method.name()
        );
    }
}

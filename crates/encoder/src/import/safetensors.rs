//! The safetensors format: a JSON header with names, types, shapes and places, then the bytes of
//! all tensors.

use std::collections::BTreeMap;

use serde_json::Value;

use nvc::error::{Error, Result};

/// Numbers of one tensor. Every type here fits an f32 exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Lengths of its axes.
    pub shape: Vec<usize>,
    /// Values, the last axis varying fastest.
    pub values: Vec<f32>,
    /// Whether the type was an unsigned byte.
    pub bytes: bool,
}

fn bad(what: impl std::fmt::Display) -> Error {
    Error::Unsupported(format!("not a safetensors file: {what}"))
}

/// Value of an IEEE half.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * (-24f32).exp2(),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        e => (1024.0 + fraction) * ((e - 25) as f32).exp2(),
    }
}

/// All tensors of a file by name.
pub fn parse(file: &[u8]) -> Result<BTreeMap<String, Array>> {
    let (length, rest) = file
        .split_first_chunk::<8>()
        .ok_or_else(|| bad(format!("{} bytes (at least 8)", file.len())))?;
    let length = u64::from_le_bytes(*length);
    let (header, data) = usize::try_from(length)
        .ok()
        .and_then(|n| rest.split_at_checked(n))
        .ok_or_else(|| {
            bad(format!(
                "its header has {length} bytes, the file {}",
                file.len()
            ))
        })?;
    let header: BTreeMap<String, Value> =
        serde_json::from_slice(header).map_err(|e| bad(format!("header: {e}")))?;
    header
        .iter()
        .filter(|(name, _)| *name != "__metadata__")
        .map(|(name, entry)| Ok((name.clone(), tensor(name, entry, data)?)))
        .collect()
}

fn tensor(name: &str, entry: &Value, data: &[u8]) -> Result<Array> {
    let numbers = |v: &Value| -> Option<Vec<usize>> {
        v.as_array()?
            .iter()
            .map(|n| n.as_u64().and_then(|n| usize::try_from(n).ok()))
            .collect()
    };
    let wrong = |what: &str| bad(format!("tensor '{name}': {what}"));
    let shape = numbers(&entry["shape"]).ok_or_else(|| wrong("no shape"))?;
    let Some([start, end]) =
        numbers(&entry["data_offsets"]).and_then(|o| <[usize; 2]>::try_from(o).ok())
    else {
        return Err(wrong("no data_offsets"));
    };
    let kind = entry["dtype"].as_str().ok_or_else(|| wrong("no dtype"))?;
    let bytes = data
        .get(start..end)
        .ok_or_else(|| wrong(&format!("bytes {start}..{end} of {}", data.len())))?;
    let values: Vec<f32> = match kind {
        "U8" => bytes.iter().map(|&b| b.into()).collect(),
        "F16" => bytes
            .as_chunks()
            .0
            .iter()
            .map(|&b| half(u16::from_le_bytes(b)))
            .collect(),
        "F32" => bytes
            .as_chunks()
            .0
            .iter()
            .map(|&b| f32::from_le_bytes(b))
            .collect(),
        _ => {
            return Err(Error::Unsupported(format!(
                "tensor '{name}' has type {kind} (allowed U8, F16, F32)"
            )));
        }
    };
    let size = match kind {
        "U8" => 1,
        "F16" => 2,
        _ => 4,
    };
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    if count.and_then(|n| n.checked_mul(size)) != Some(bytes.len()) {
        return Err(wrong(&format!(
            "{} bytes for a {kind} of shape {shape:?}",
            bytes.len()
        )));
    }
    Ok(Array {
        shape,
        values,
        bytes: kind == "U8",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [
            &(header.len() as u64).to_le_bytes(),
            header.as_bytes(),
            data,
        ]
        .concat()
    }

    #[test]
    fn reads_the_three_types() {
        let header = r#"{"__metadata__":{"a":"b"},"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
            "y":{"dtype":"F16","shape":[1,3],"data_offsets":[2,8]},"z":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}"#;
        let data = [
            [7, 255].as_slice(),
            &[0x00, 0x3c, 0x00, 0xc1, 0x01, 0x00],
            &1.5f32.to_le_bytes(),
        ]
        .concat();
        let t = parse(&file(header, &data)).unwrap();
        assert_eq!(
            t["x"],
            Array {
                shape: vec![2],
                values: vec![7.0, 255.0],
                bytes: true
            }
        );
        assert_eq!(t["y"].values, [1.0, -2.5, 2f32.powi(-24)]);
        assert_eq!(t["z"].values, [1.5]);
        assert_eq!(t.len(), 3);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let entry = |e: &str| file(&format!(r#"{{"x":{e}}}"#), &[0; 4]);
        for (bytes, part) in [
            (vec![1, 2], "2 bytes"),
            (vec![255; 8], "header has"),
            (file("[]", &[]), "header"),
            (entry("1"), "no shape"),
            (
                entry(r#"{"dtype":"U8","shape":[4],"data_offsets":[0,5]}"#),
                "0..5 of 4",
            ),
            (
                entry(r#"{"dtype":"U8","shape":[4],"data_offsets":[3,1]}"#),
                "3..1 of 4",
            ),
            (
                entry(r#"{"dtype":"F32","shape":[4],"data_offsets":[0,4]}"#),
                "4 bytes for a F32",
            ),
            (
                entry(r#"{"dtype":"F64","shape":[1],"data_offsets":[0,4]}"#),
                "type F64",
            ),
            (
                entry(r#"{"dtype":"U8","shape":[18446744073709551615,3],"data_offsets":[0,4]}"#),
                "4 bytes for",
            ),
        ] {
            let message = parse(&bytes).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}

//! Numbers as people write them: `auto`, `1.5M`.

use std::str::FromStr;

use serde::Deserialize;
use serde::de::Error as _;

/// A number of frames or groups, or `auto`: what suits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(pub Option<usize>);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "auto" => Ok(Count(None)),
            n => n
                .parse()
                .map(|n| Count(Some(n)))
                .map_err(|_| format!("'{n}' is neither auto nor a number (allowed 1..=65535)")),
        }
    }
}

/// A number, or text that is parsed.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let text = match Written::deserialize(d)? {
            Written::Number(v) => v.to_string(),
            Written::Text(t) => t,
        };
        text.parse().map_err(D::Error::custom)
    }
}

/// Reads a number, or text with a factor.
pub(super) fn scaled<'de, D: serde::Deserializer<'de>>(
    d: D,
) -> std::result::Result<Option<f64>, D::Error> {
    match Written::deserialize(d)? {
        Written::Number(v) => Ok(Some(v)),
        Written::Text(t) => parse_scaled(&t).map(Some).map_err(D::Error::custom),
    }
}

/// A positive number with an optional k, M or G.
pub fn parse_scaled(text: &str) -> std::result::Result<f64, String> {
    let (digits, factor) = match text.char_indices().last() {
        Some((i, 'k' | 'K')) => (&text[..i], 1e3),
        Some((i, 'm' | 'M')) => (&text[..i], 1e6),
        Some((i, 'g' | 'G')) => (&text[..i], 1e9),
        _ => (text, 1.0),
    };
    match digits.parse::<f64>() {
        Ok(v) if v > 0.0 && v.is_finite() => Ok(v * factor),
        _ => Err(format!(
            "'{text}' is not a positive number with an optional k, M or G (as 300k or 1.5M)"
        )),
    }
}

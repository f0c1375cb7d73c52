//! Text as HTML shows it.

use std::fmt::{self, Write};

use askama::filters::Escaper;

/// For content and for quoted attributes. What no HTML document may hold becomes U+FFFD.
#[derive(Clone, Copy)]
pub struct Html;

impl Escaper for Html {
    fn write_escaped_str<W: Write>(&self, mut out: W, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            '&' => out.write_str("&amp;"),
            '<' => out.write_str("&lt;"),
            '>' => out.write_str("&gt;"),
            '"' => out.write_str("&quot;"),
            '\'' => out.write_str("&#39;"),
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.write_char('\u{fffd}'),
            c => out.write_char(c),
        })
    }
}

//! The tables of `bitstream-spec/README.md` are the code's: one source, two places, compared here.
//!
//! After a change to the code, `cargo test --test spec_tables -- --ignored` writes them anew.

use nvc::bitstream::fields::spec_table;
use nvc::bitstream::header::{GroupHeader, HnervHeader, HnervStage, IndexEntry, SectionHeader, SequenceHeader};
use nvc::entropy::normal::TAIL;
use nvc::synth::tables::GELU_BUMP;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bitstream-spec/README.md");

/// Name of each marked part of the document and what must stand there.
fn parts() -> Vec<(&'static str, String)> {
    let table = |lines: Vec<Vec<String>>| {
        let lines: Vec<String> = lines.iter().map(|l| l.join(" ")).collect();
        format!("```\n{}\n```\n", lines.join("\n"))
    };
    let bump = table(GELU_BUMP.chunks(16).map(|l| l.iter().map(u16::to_string).collect()).collect());
    let tail = table(TAIL.chunks(12).map(|l| l.iter().map(u32::to_string).collect()).collect());
    vec![
        ("table SequenceHeader", spec_table(SequenceHeader::FIELDS)),
        ("table SectionHeader", spec_table(SectionHeader::FIELDS)),
        ("table GroupHeader", spec_table(GroupHeader::FIELDS)),
        ("table HnervHeader", spec_table(HnervHeader::FIELDS)),
        ("table HnervStage", spec_table(HnervStage::FIELDS)),
        ("table IndexEntry", spec_table(IndexEntry::FIELDS)),
        ("BUMP", bump),
        ("TAIL", tail),
    ]
}

/// Byte range of a part, between its marker and `<!-- end -->`.
fn place(text: &str, name: &str) -> std::ops::Range<usize> {
    let marker = format!("<!-- {name} -->\n");
    let start = text.find(&marker).unwrap_or_else(|| panic!("the document has no '{name}'")) + marker.len();
    start..start + text[start..].find("<!-- end -->").expect("every part has an end")
}

#[test]
fn tables_agree_with_the_code() {
    let text = std::fs::read_to_string(DOCUMENT).unwrap();
    for (name, wanted) in parts() {
        assert_eq!(&text[place(&text, name)], wanted, "part '{name}' of the document");
    }
}

#[test]
#[ignore = "writes the document"]
fn regenerate() {
    let mut text = std::fs::read_to_string(DOCUMENT).unwrap();
    for (name, wanted) in parts() {
        text.replace_range(place(&text, name), &wanted);
    }
    std::fs::write(DOCUMENT, text).unwrap();
}

//! Archives and compressed files: one member as a stream of bytes. Nothing is ever written to where
//! a member's name says.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use super::names::{Packed, is_member, member_name, packed_kind};
use nvc::error::{Error, Result};

/// What takes a member's bytes.
pub type Take<'a> = &'a mut dyn FnMut(&mut dyn Read) -> Result<()>;

/// Gives the file that `path` holds to `take`: the member that fits `member` of an archive, the
/// content of a compressed file, or the file as it is. What it is packed with follows from its
/// name.
pub fn unpack(path: &Path, member: Option<&str>, take: Take<'_>) -> Result<()> {
    let kind = packed_kind(&path.to_string_lossy());
    let mut reader = open(path)?;
    expect_magic(&mut reader, kind, path)?;
    let wanted = member.unwrap_or("*");
    let archive = Archive { path, wanted };
    match kind {
        Packed::Plain => take(&mut reader),
        Packed::Gz => take(&mut flate2::read::MultiGzDecoder::new(reader)),
        Packed::Xz => take(&mut lzma_rust2::XzReader::new(reader, true)),
        Packed::Zip => archive.zip(reader, take),
        Packed::SevenZ => archive.seven_z(reader, take),
        // two passes: the names first, so that a pattern that fits two members is refused before
        // anything is written
        Packed::Tar => archive.tar(&|| Ok(Box::new(open(path)?)), take),
        Packed::TarGz => archive.tar(
            &|| Ok(Box::new(flate2::read::MultiGzDecoder::new(open(path)?))),
            take,
        ),
        Packed::TarXz => archive.tar(
            &|| Ok(Box::new(lzma_rust2::XzReader::new(open(path)?, true))),
            take,
        ),
    }
}

fn open(path: &Path) -> Result<BufReader<File>> {
    let file = File::open(path).map_err(|e| Error::io(format!("opening {}", path.display()), e))?;
    Ok(BufReader::with_capacity(1 << 18, file))
}

/// Says what a file is not, before a decoder is confused by the page that some server sent in its
/// place.
fn expect_magic(reader: &mut BufReader<File>, kind: Packed, path: &Path) -> Result<()> {
    let (magic, what): (&[u8], _) = match kind {
        Packed::Gz | Packed::TarGz => (b"\x1f\x8b", "gzip file"),
        Packed::Xz | Packed::TarXz => (b"\xfd7zXZ\0", "xz file"),
        Packed::Zip => (b"PK", "zip archive"),
        Packed::SevenZ => (b"7z\xbc\xaf\x27\x1c", "7z archive"),
        Packed::Plain | Packed::Tar => return Ok(()),
    };
    let error = |e| Error::io(format!("reading {}", path.display()), e);
    let mut head = Vec::new();
    reader.take(12).read_to_end(&mut head).map_err(error)?;
    reader.rewind().map_err(error)?;
    if head.starts_with(magic) {
        return Ok(());
    }
    Err(Error::format(
        0,
        format!(
            "{}: not a {what}: it starts with \"{}\"",
            path.display(),
            head.escape_ascii()
        ),
    ))
}

struct Archive<'a> {
    path: &'a Path,
    wanted: &'a str,
}

impl Archive<'_> {
    fn damaged(&self, what: impl std::fmt::Display) -> Error {
        Error::format(0, format!("{}: {what}", self.path.display()))
    }

    /// The one that fits of the files `names`, as its place among them. Names that lead out of
    /// their folder fit nothing.
    fn choose(&self, names: &[String]) -> Result<usize> {
        let sound: Vec<Option<String>> = names.iter().map(|n| member_name(n)).collect();
        let fit = |f: &dyn Fn(&str) -> bool| -> Vec<usize> {
            (0..names.len())
                .filter(|&i| sound[i].as_deref().is_some_and(f))
                .collect()
        };
        let mut found = fit(&|n| n == self.wanted);
        if found.is_empty() {
            found = fit(&|n| is_member(self.wanted, n));
        }
        let shown = |which: &[usize]| -> String {
            let mut text: Vec<String> = which
                .iter()
                .take(8)
                .map(|&i| names[i].escape_debug().to_string())
                .collect();
            if which.len() > 8 {
                text.push(format!("and {} more", which.len() - 8));
            }
            text.join(", ")
        };
        match found[..] {
            [one] => Ok(one),
            [] => {
                let all: Vec<usize> = (0..names.len()).collect();
                Err(self.damaged(format!(
                    "no file fits the member '{}'; it has: {}",
                    self.wanted,
                    shown(&all)
                )))
            }
            _ => Err(self.damaged(format!(
                "{} files fit the member '{}': {}",
                found.len(),
                self.wanted,
                shown(&found)
            ))),
        }
    }

    fn zip(&self, reader: BufReader<File>, take: Take<'_>) -> Result<()> {
        let damaged = |e: zip::result::ZipError| self.damaged(format!("zip: {e}"));
        let mut zip = zip::ZipArchive::new(reader).map_err(damaged)?;
        let (mut places, mut names) = (Vec::new(), Vec::new());
        for i in 0..zip.len() {
            let file = zip.by_index_raw(i).map_err(damaged)?;
            if !file.is_dir() && !file.is_symlink() {
                places.push(i);
                names.push(String::from_utf8_lossy(file.name_raw()).into_owned());
            }
        }
        let i = places[self.choose(&names)?];
        take(&mut zip.by_index(i).map_err(damaged)?)
    }

    fn seven_z(&self, reader: BufReader<File>, take: Take<'_>) -> Result<()> {
        let damaged = |e: sevenz_rust2::Error| match e {
            sevenz_rust2::Error::Io(e, _) => self.damaged(format!("7z: {e}")),
            e => self.damaged(format!("7z: {e}")),
        };
        let mut archive = sevenz_rust2::ArchiveReader::new(reader, sevenz_rust2::Password::empty())
            .map_err(damaged)?;
        // more threads would each hold a block
        archive.set_thread_count(1);
        let files = archive
            .archive()
            .files
            .iter()
            .filter(|f| !f.is_directory() && !f.is_anti_item());
        let names: Vec<String> = files.map(|f| f.name().to_string()).collect();
        let name = names[self.choose(&names)?].clone();
        let mut result = None;
        let each = archive.for_each_entries_with_decision(|entry, reader| {
            if entry.name() != name || entry.is_directory() {
                return Ok(sevenz_rust2::EntryDecision::Continue);
            }
            result = Some(take(reader));
            Ok(sevenz_rust2::EntryDecision::Stop)
        });
        match result {
            Some(r) => r,
            None => each
                .map_err(damaged)
                .and_then(|()| Err(self.damaged(format!("7z: '{name}' has no data")))),
        }
    }

    fn tar(&self, open: &dyn Fn() -> Result<Box<dyn Read>>, take: Take<'_>) -> Result<()> {
        let damaged = |e: io::Error| self.damaged(format!("tar: {e}"));
        let (mut places, mut names) = (Vec::new(), Vec::new());
        for (i, entry) in tar::Archive::new(open()?)
            .entries()
            .map_err(damaged)?
            .enumerate()
        {
            let entry = entry.map_err(damaged)?;
            if entry.header().entry_type().is_file() {
                places.push(i);
                names.push(String::from_utf8_lossy(&entry.path_bytes()).into_owned());
            }
        }
        let i = places[self.choose(&names)?];
        match tar::Archive::new(open()?)
            .entries()
            .map_err(damaged)?
            .nth(i)
        {
            Some(entry) => take(&mut entry.map_err(damaged)?),
            None => Err(self.damaged("tar: changed while it was read")),
        }
    }
}

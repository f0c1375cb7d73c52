//! The reader's end of a decoder that runs on its own thread.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, sync_channel};

use super::notes::{self, Notes};
use super::scan::{self, Scan};
use super::worker::{Opened, Worker};
use crate::cadence::check_even;
use crate::source::{FrameSource, Survey, Takes};
use crate::source_options::SourceOptions;
use crate::turn::Turn;
use nvc::error::{Error, Result};
use nvc::frame::{Frame, VideoInfo};

/// Pictures that wait for their reader.
const AHEAD: usize = 4;

/// Pictures of the best video stream of a file.
pub struct MediaSource {
    opened: Opened,
    path: PathBuf,
    name: String,
    /// What a look at all packets told, once there was one.
    scan: OnceLock<Option<Scan>>,
    frames: Receiver<Result<Option<Frame>>>,
    done: bool,
    notes: Notes,
}

impl MediaSource {
    /// Opens a file and decodes its first picture, which settles format and colour.
    pub fn open(path: &Path, opts: &SourceOptions) -> Result<Self> {
        let (open_send, open_receive) = sync_channel(1);
        let (send, frames) = sync_channel(AHEAD);
        let (url, name) = (scan::Url::new(path)?, path.display().to_string());
        let notes = Notes::default();
        let (at, known, options) = (name.clone(), notes.clone(), opts.clone());
        std::thread::spawn(move || Worker::run(url, at, options, known, &open_send, &send));
        let opened = open_receive
            .recv()
            .unwrap_or_else(|_| Err(stopped(&name)))?;
        Ok(MediaSource {
            opened,
            path: path.into(),
            name,
            scan: OnceLock::new(),
            frames,
            done: false,
            notes,
        })
    }

    /// How the pictures are to be shown.
    pub fn turn(&self) -> Turn {
        self.opened.turn
    }

    fn scan(&self) -> Option<&Scan> {
        self.scan
            .get_or_init(|| scan::packets(&self.path, self.opened.stream))
            .as_ref()
    }
}

impl FrameSource for MediaSource {
    fn info(&self) -> &VideoInfo {
        &self.opened.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        if self.done {
            return Ok(None);
        }
        let frame = self
            .frames
            .recv()
            .unwrap_or_else(|_| Err(stopped(&self.name)));
        self.done = !matches!(frame, Ok(Some(_)));
        frame
    }

    fn frames_hint(&self) -> Option<u64> {
        if self.opened.constant.is_some() {
            return self.opened.hint;
        }
        // what was counted is known better than what was said
        let counted = self.scan.get().and_then(|s| s.as_ref()).map(|s| s.frames);
        counted
            .or(self.opened.hint)
            .or_else(|| self.scan().map(|s| s.frames))
    }

    fn survey(&mut self) -> Result<Survey> {
        let Some(s) = self.scan().filter(|_| self.opened.constant.is_none()) else {
            return Ok(Survey {
                frames: self.opened.hint,
                damage: None,
            });
        };
        check_even(&self.name, &s.times, s.tick)?;
        let frames = s.frames;
        if let Some(cut) = self
            .opened
            .hint
            .and_then(|said| notes::cut_short(s.packets, said))
        {
            notes::add(&self.notes, cut);
        }
        Ok(Survey {
            frames: Some(frames),
            damage: None,
        })
    }

    fn take_warnings(&mut self) -> Vec<String> {
        notes::take(&self.notes)
    }

    fn takes(&self) -> Takes {
        Takes {
            fps: self.opened.constant.is_some(),
            vfr_to_cfr: true,
            ..Takes::default()
        }
    }
}

fn stopped(name: &str) -> Error {
    Error::Unsupported(format!("{name}: the media decoder stopped unexpectedly"))
}

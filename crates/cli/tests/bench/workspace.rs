//! A folder with a clip and a plan, and the harness run in it.

use std::path::PathBuf;
use std::process::{Command, Output};

use nvc_lab::bench::{Row, read_csv};

/// A folder that is removed in the end.
pub struct Workspace {
    dir: tempfile::TempDir,
}

impl Workspace {
    pub fn new() -> Self {
        Workspace {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A clip of 48x32 in which a bright square moves over a ramp.
    pub fn clip(&self, name: &str, frames: usize) {
        let mut y4m = b"YUV4MPEG2 W48 H32 F25:1 Ip A1:1 C420jpeg\n".to_vec();
        for f in 0..frames {
            y4m.extend(b"FRAME\n");
            y4m.extend((0..32 * 48).map(|i| {
                let (x, y) = (i % 48, i / 48);
                if (8..20).contains(&y) && (f * 2..f * 2 + 12).contains(&x) {
                    220
                } else {
                    (40 + 2 * x + y) as u8
                }
            }));
            y4m.extend((0..2 * 16 * 24).map(|i| 110 + (i % 24) as u8));
        }
        std::fs::write(self.path(name), y4m).unwrap();
    }

    /// A codec of two shell scripts. It keeps the file as it is, notes every call in the file
    /// `calls`, and waits at quality 3 as long as the file `hold` is there.
    pub fn codec(&self) -> String {
        let (calls, hold) = (self.path("calls"), self.path("hold"));
        let encode = format!(
            "echo \"$3\" >> '{}'\nwhile [ \"$3\" = 3 ] && [ -e '{}' ]; do sleep 0.05; done\ncp \"$1\" \"$2\"\n",
            calls.display(),
            hold.display()
        );
        let script = self.write("encode.sh", &encode);
        format!(
            "[[codec]]\nuse = \"external\"\nname = \"copy\"\nversion = \"1\"\nextension = \"bin\"\nquality = [1, 2, 3]\n\
             encode = \"sh '{}' {{input}} {{output}} {{quality}}\"\ndecode = \"cp {{input}} {{output}}\"\n",
            script.display()
        )
    }

    pub fn plan(&self, codecs: &str) -> PathBuf {
        let head = "title = \"A test\"\nanchor = \"copy\"\njobs = 1\n[[sequence]]\nsource = \"a.y4m\"\nframes = \"0..4\"\n";
        self.write("plan.toml", &format!("{head}{codecs}"))
    }

    pub fn bench(&self, args: &[&str]) -> Command {
        let mut c = Command::new(env!("CARGO_BIN_EXE_nvc"));
        c.arg("bench")
            .arg(self.path("plan.toml"))
            .arg("-o")
            .arg(self.path("out"))
            .args(args);
        c
    }

    pub fn calls(&self) -> Vec<String> {
        std::fs::read_to_string(self.path("calls"))
            .unwrap_or_default()
            .lines()
            .map(str::to_string)
            .collect()
    }

    pub fn rows(&self) -> Vec<Row> {
        read_csv(&self.path("out/results.csv")).unwrap()
    }
}

/// What was said on stderr.
pub fn said(o: &Output) -> String {
    String::from_utf8_lossy(&o.stderr).into_owned()
}

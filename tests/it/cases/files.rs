//! The files that a case begins with.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;

use crate::support::{ipc, parquet, root};

/// A file or folder, made of the first of these that is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    name: String,
    /// Its text, or the beginning of it.
    #[serde(default)]
    text: String,
    /// Lines behind the text.
    repeat: Option<Repeat>,
    /// What stands behind these lines.
    #[serde(default)]
    then: String,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    gzip: bool,
    #[serde(default)]
    zstd: bool,
    /// Where it leads to, as a symbolic link.
    link: Option<String>,
    /// Its bytes, two digits each; blanks and line ends between them are for the reader.
    hex: Option<String>,
    /// A copy of this file of `sample-data`.
    sample: Option<String>,
    recipe: Option<Recipe>,
    /// Leaves only so much of it: 0.5 is the first half.
    cut_to: Option<f64>,
    /// Permissions, in octal.
    mode: Option<String>,
}

/// `line`, its `{n}` replaced by 1 to `times`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    line: String,
    times: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Utf8,
    /// With a byte order mark.
    Utf8Bom,
    /// With a byte order mark.
    Utf16le,
    Latin1,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Recipe {
    Folder,
    /// The text as Parquet, two rows in a group.
    Parquet,
    /// The text as an Arrow IPC file, two rows in a batch.
    Ipc,
    /// The text as an Arrow IPC stream, two rows in a batch.
    IpcStream,
}

impl FileSpec {
    /// Puts it into `folder`.
    pub fn create(&self, folder: &Path) {
        let path = folder.join(&self.name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if let Some(link) = &self.link {
            return std::os::unix::fs::symlink(link, &path).unwrap();
        }
        match (&self.recipe, &self.sample) {
            (Some(Recipe::Folder), _) => fs::create_dir(&path).unwrap(),
            (Some(Recipe::Parquet), _) => parquet::write(&path, &self.whole_text(), 2),
            (Some(Recipe::Ipc), _) => ipc::write(&path, &self.whole_text(), 2, ipc::Kind::File),
            (Some(Recipe::IpcStream), _) => ipc::write(&path, &self.whole_text(), 2, ipc::Kind::Stream),
            (None, Some(sample)) => drop(fs::copy(root().join("sample-data").join(sample), &path).unwrap()),
            (None, None) => fs::write(&path, self.bytes()).unwrap(),
        }
        if let Some(share) = self.cut_to {
            cut(&path, share);
        }
        if let Some(mode) = &self.mode {
            let mode = u32::from_str_radix(mode, 8).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    fn whole_text(&self) -> String {
        let lines = self
            .repeat
            .iter()
            .flat_map(|repeat| (1..=repeat.times).map(|number| repeat.line.replace("{n}", &number.to_string())));
        self.text.clone() + &lines.collect::<String>() + &self.then
    }

    fn bytes(&self) -> Vec<u8> {
        let bytes = match &self.hex {
            Some(hex) => from_hex(hex),
            None => self.encoding.encode(&self.whole_text()),
        };
        if self.zstd {
            return zstd::encode_all(&bytes[..], 1).unwrap();
        }
        if !self.gzip {
            return bytes;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&bytes).unwrap();
        encoder.finish().unwrap()
    }
}

impl Encoding {
    fn encode(&self, text: &str) -> Vec<u8> {
        match self {
            Encoding::Utf8 => text.into(),
            Encoding::Utf8Bom => format!("\u{feff}{text}").into(),
            Encoding::Utf16le => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Encoding::Latin1 => text.chars().map(|c| u8::try_from(c).expect("a character of Latin-1")).collect(),
        }
    }
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

fn cut(path: &Path, share: f64) {
    let mut bytes = Vec::new();
    fs::File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    bytes.truncate((bytes.len() as f64 * share) as usize);
    fs::write(path, bytes).unwrap();
}

/// Whether this process may read what nobody may: root may.
///
/// Also lets every user into `folder`, so that another one can be tried.
pub fn permissions_are_void(folder: &Path) -> bool {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let probe = folder.join(".probe");
    fs::write(&probe, "").unwrap();
    fs::set_permissions(&probe, fs::Permissions::from_mode(0o000)).unwrap();
    let readable = fs::read(&probe).is_ok();
    fs::remove_file(&probe).unwrap();
    readable
}

/// Makes every folder writable again, so that the whole can be removed.
pub fn unlock(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

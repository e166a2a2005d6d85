use tempfile::{TempDir, tempdir};

use super::*;
use crate::error::ErrorKind;

/// The names in a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn folder_with(files: &[(&str, &str)]) -> TempDir {
    let folder = tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_file_appears_only_when_it_is_complete() {
    let folder = folder_with(&[("a.json", "old")]);
    let path = folder.path().join("a.json");
    let mut pending = Pending::create(&path).unwrap();
    pending.write_all(b"new").unwrap();
    assert_eq!((read(&path).as_str(), pending.size()), ("old", 3));
    pending.commit().unwrap();
    assert_eq!((read(&path).as_str(), names(folder.path())), ("new", vec!["a.json".to_owned()]));
}

#[test]
fn what_is_dropped_leaves_nothing() {
    let folder = folder_with(&[("a.json", "old")]);
    for name in ["a.json", "b.json"] {
        let mut pending = Pending::create(&folder.path().join(name)).unwrap();
        pending.write_all(&vec![b'x'; 100_000]).unwrap();
        assert_eq!(names(folder.path()).len(), 2);
    }
    assert_eq!(names(folder.path()), ["a.json"]);
    assert_eq!(read(&folder.path().join("a.json")), "old");
}

#[test]
fn what_a_killed_run_left_is_removed_and_what_a_living_one_writes_is_not() {
    let left = ".clickpath-dead.part";
    let others = [".clickpath-notes", "a.part", ".clickpath-folder.part"];
    for by_batch in [false, true] {
        let folder = folder_with(&[(left, "half"), (others[0], ""), (others[1], "")]);
        fs::create_dir(folder.path().join(others[2])).unwrap();
        let mut living = Pending::begin(&folder.path().join("b.json")).unwrap();
        if by_batch {
            drop(Batch::create(folder.path()).unwrap());
        } else {
            write(&folder.path().join("a.json"), b"x").unwrap();
        }
        assert!(!folder.path().join(left).exists());
        assert!(others.iter().all(|name| folder.path().join(name).exists()));
        living.write_all(b"whole").unwrap();
        living.commit().unwrap();
        assert_eq!(read(&folder.path().join("b.json")), "whole");
    }
}

#[test]
fn many_writers_in_one_folder_do_not_sweep_each_other_away() {
    let folder = tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let path = folder.path().join(format!("{}.json", writer % 4));
            scope.spawn(move || {
                for _ in 0..50 {
                    write(&path, b"whole").unwrap();
                }
            });
        }
    });
    assert_eq!(names(folder.path()), ["0.json", "1.json", "2.json", "3.json"]);
    assert!(names(folder.path()).iter().all(|name| read(&folder.path().join(name)) == "whole"));
}

#[test]
fn a_missing_folder_is_an_error_with_advice() {
    let folder = tempdir().unwrap();
    let missing = folder.path().join("missing");
    let error = write(&missing.join("a.json"), b"x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.to_string(), format!("{}/a.json: No such file or directory (os error 2)", missing.display()));
    assert_eq!(error.advice(), Some(format!("create the folder first: mkdir -p {}", missing.display()).as_str()));
}

#[test]
fn what_cannot_be_written_is_an_error_with_the_path() {
    let folder = folder_with(&[("file", ""), ("locked", "")]);
    let locked = folder.path().join("locked");
    let mut permissions = fs::metadata(&locked).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&locked, permissions).unwrap();
    for path in [folder.path().to_owned(), folder.path().join("file/a.json"), locked] {
        let error = write(&path, b"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
        assert!(!error.to_string().contains(".clickpath"), "{error}");
    }
    assert_eq!(names(folder.path()), ["file", "locked"]);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_file_has_usual_permissions_and_an_old_one_keeps_its_own() {
        let folder = folder_with(&[("usual", ""), ("secret", "")]);
        let at = |name: &str| folder.path().join(name);
        write(&at("new"), b"x").unwrap();
        assert_eq!(mode(&at("new")), mode(&at("usual")));

        fs::set_permissions(at("secret"), Permissions::from_mode(0o600)).unwrap();
        write(&at("secret"), b"x").unwrap();
        assert_eq!(mode(&at("secret")), 0o600);
    }

    #[test]
    fn a_link_stays_and_its_file_is_replaced() {
        let folder = folder_with(&[("file", "old")]);
        let link = folder.path().join("link");
        symlink("file", &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(read(&folder.path().join("file")), "new");
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        write(Path::new("/dev/null"), b"x").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}

#[test]
fn a_batch_appears_together_in_a_folder_made_for_it() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("deep/out");
    let mut batch = Batch::create(&out).unwrap();
    batch.add("a.json", b"a").unwrap();
    let mut streamed = batch.open("b.jsonl").unwrap();
    streamed.write_all(b"bb").unwrap();
    batch.keep(streamed).unwrap();
    assert!(names(&out).iter().all(|name| name.ends_with(".part")));
    assert_eq!(batch.files().iter().map(Pending::size).collect::<Vec<_>>(), [1, 2]);

    let last = batch.open("run.json").unwrap();
    batch.commit(last).unwrap();
    assert_eq!(names(&out), ["a.json", "b.jsonl", "run.json"]);
}

#[test]
fn a_batch_that_is_dropped_leaves_not_even_its_folder() {
    let folder = tempdir().unwrap();
    let mut batch = Batch::create(&folder.path().join("deep/out")).unwrap();
    batch.add("a.json", b"a").unwrap();
    drop(batch);
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn a_batch_refuses_two_files_of_one_name_and_names_that_lead_elsewhere() {
    let folder = folder_with(&[("run.json", "old")]);
    let mut batch = Batch::create(folder.path()).unwrap();
    for name in ["", ".", "..", "a/b", "../a", "/a", "a/"] {
        assert_eq!(batch.open(name).err().unwrap().kind(), ErrorKind::Question, "{name}");
    }
    batch.add("run.json", b"new").unwrap();
    let last = batch.open("run.json").unwrap();
    assert_eq!(batch.commit(last).unwrap_err().kind(), ErrorKind::Question);
    assert_eq!(read(&folder.path().join("run.json")), "old");
    assert_eq!(names(folder.path()), ["run.json"]);
}

#[test]
fn two_batches_into_one_folder_do_not_mix() {
    let folder = tempdir().unwrap();
    let commit = |tag: &str| {
        let mut batch = Batch::create(folder.path()).unwrap();
        for name in ["a.json", "b.json", "c.json"] {
            batch.add(name, tag.as_bytes()).unwrap();
        }
        let last = batch.open("run.json").unwrap().filled(tag.as_bytes()).unwrap();
        batch.commit(last).unwrap();
    };
    for _ in 0..50 {
        std::thread::scope(|scope| {
            ["1", "2", "3"].into_iter().for_each(|tag| drop(scope.spawn(move || commit(tag))));
        });
        let found = names(folder.path()).iter().map(|name| read(&folder.path().join(name))).collect::<Vec<_>>();
        assert!(found.len() == 4 && found.iter().all(|tag| *tag == found[0]), "{found:?}");
    }
}

#[test]
fn a_batch_cut_short_has_no_last_file() {
    let folder = folder_with(&[("run.json", "old")]);
    let mut batch = Batch::create(folder.path()).unwrap();
    batch.add("a.json", b"a").unwrap();
    let last = batch.open("run.json").unwrap();
    // Something takes the place of a file at the last moment.
    fs::create_dir(folder.path().join("a.json")).unwrap();
    assert_eq!(batch.commit(last).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(names(folder.path()), ["a.json"]);
}

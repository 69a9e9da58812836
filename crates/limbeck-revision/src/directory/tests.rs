//! Folders that are read, refused, and written to.

use super::*;
use crate::format::{Segment, SegmentMode};

fn id(text: &str) -> RevisionId {
    RevisionId::new(text).unwrap()
}

/// A folder with these files; a name that ends with a slash is a folder.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(if name.ends_with('/') {
            &path
        } else {
            path.parent().unwrap()
        })
        .unwrap();
        if !name.ends_with('/') {
            fs::write(path, text).unwrap();
        }
    }
    folder
}

fn location(path: impl Into<PathBuf>, recursive: bool) -> Location {
    Location {
        path: path.into(),
        recursive,
        branch: None,
    }
}

/// Loads a folder and compares `revision path` of what is there.
#[track_caller]
fn check(files: &[(&str, &str)], recursive: bool, expect: &[&str]) {
    let folder = folder(files);
    let loaded = RevisionDirectory::load(&[location(folder.path(), recursive)]).unwrap();
    let found: Vec<_> = loaded
        .headers()
        .map(|it| {
            format!(
                "{} {}",
                it.header.revision,
                it.path.strip_prefix(folder.path()).unwrap().display()
            )
        })
        .collect();
    assert_eq!(found, expect);
}

/// Loads a folder in vain; `@` in `expect` is the folder.
#[track_caller]
fn check_error(files: &[(&str, &str)], expect: &str) {
    let folder = folder(files);
    let found = RevisionDirectory::load(&[location(folder.path(), false)])
        .unwrap_err()
        .to_string();
    let found = found.replace(&format!("{}/", folder.path().display()), "@");
    assert_eq!(found, expect);
}

const ONE: &str = "-- revision: 1\n-- upgrade\nSELECT 1;\n-- downgrade\n";
const TWO: &str = "\u{feff}-- revision: 2\r\n-- revises: 1\r\n-- upgrade\r\n-- downgrade\r\n";

#[test]
fn folders_are_read_in_order() {
    check(&[], false, &[]);
    let files = [
        ("b.sql", ONE),
        ("a.SQL", TWO),
        (".c.sql", "half"),
        (".git/d.sql", "x"),
        ("README.md", "x"),
        ("sub/c.sql", "-- revision: 3\n"),
        ("sub.sql/", ""),
    ];
    check(&files, false, &["2 a.SQL", "1 b.sql"]);
    check(&files, true, &["2 a.SQL", "1 b.sql", "3 sub/c.sql"]);
}

#[test]
fn a_folder_reached_twice_is_read_once() {
    let folder = folder(&[("a.sql", ONE), ("sub/b.sql", TWO)]);
    let twice = [
        location(folder.path(), true),
        location(folder.path().join("sub"), false),
        location(folder.path().join("sub/.."), true),
    ];
    assert_eq!(
        RevisionDirectory::load(&twice).unwrap().headers().count(),
        2
    );
}

#[test]
fn bad_files_are_errors_that_name_them() {
    check_error(
        &[("a.sql", ONE), ("b.sql", ONE)],
        "two files are revision 1: @a.sql and @b.sql; give one of them another id, or remove it",
    );
    check_error(
        &[("a.sql", ONE), ("dump.sql", "SELECT 1;")],
        "@dump.sql is not a revision: no `-- revision: ID` in the comment at its top; add that line, or move the file \
         elsewhere",
    );
    check_error(
        &[("a.sql", "-- x\n-- revision: a b\n")],
        "@a.sql:2: revision id \"a b\" contains ' '; use letters, digits, underscores and dots",
    );
    let missing = RevisionDirectory::load(&[location("no/such/folder", false)]).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "there is no revision folder no/such/folder; create it with `limbeck init` or `limbeck mkdir`, or name another with --revisions",
    );
    let folder = folder(&[("a.sql", ONE)]);
    let path = folder.path().join("a.sql");
    let file = RevisionDirectory::load(&[location(&path, false)]).unwrap_err();
    assert!(
        matches!(&file, RevisionError::Read { path: named, .. } if *named == path),
        "{file}"
    );
    fs::write(&path, b"-- revision: 1\n-- review: \xff\n").unwrap();
    let bytes = RevisionDirectory::load(&[location(folder.path(), false)]).unwrap_err();
    assert_eq!(
        bytes.to_string(),
        format!(
            "{}:2: not UTF-8 text; save the file in UTF-8",
            path.display()
        )
    );
}

#[test]
fn bodies_are_read_when_asked_for() {
    let folder = folder(&[
        ("a.sql", ONE),
        ("b.sql", "-- revision: 2\n-- upgrade\nSELECT 'x\n"),
    ]);
    let loaded = RevisionDirectory::load(&[location(folder.path(), false)]).unwrap();
    assert_eq!(
        loaded.read(&id("1")).unwrap().upgrade,
        [Segment::new(SegmentMode::Transaction, "SELECT 1;")]
    );
    let bad = loaded.read(&id("2")).unwrap_err().to_string();
    assert!(
        bad.contains("b.sql:3: the string that starts here is not closed"),
        "{bad}"
    );
    assert_eq!(
        loaded.read(&id("3")).unwrap_err().to_string(),
        "no revision 3 in the revision folders; `limbeck history` lists what is there",
    );
    fs::write(
        folder.path().join("a.sql"),
        b"-- revision: 1\n-- upgrade\n\xff",
    )
    .unwrap();
    assert!(matches!(
        loaded.read(&id("1")).unwrap_err(),
        RevisionError::NotUtf8 { line: 3, .. }
    ));
}

fn new_file(naming: &FileNaming) -> NewFile<'_> {
    NewFile {
        naming,
        at: Timestamp::UNIX_EPOCH,
        folder: None,
    }
}

fn revision(text: &str) -> Revision {
    Revision::new(Header::new(id(text), "Add email"))
}

#[test]
fn a_written_revision_is_there() {
    let folder = folder(&[("a.sql", ONE)]);
    let locations = [location(folder.path(), false)];
    let mut loaded = RevisionDirectory::load(&locations).unwrap();
    let naming = FileNaming::default();
    let path = loaded.write(&revision("2"), new_file(&naming)).unwrap();
    assert_eq!(path, folder.path().join("2_add_email.sql"));
    assert_eq!(loaded.read(&id("2")).unwrap(), revision("2"));
    let again = RevisionDirectory::load(&locations).unwrap();
    assert!(
        again
            .headers()
            .map(|it| &it.header.revision)
            .eq([&id("2"), &id("1")])
    );
}

#[test]
fn a_written_revision_takes_no_others_place() {
    let folder = folder(&[("a.sql", ONE), ("x.txt", "")]);
    let mut loaded = RevisionDirectory::load(&[location(folder.path(), true)]).unwrap();
    let mut refused = |revision: &Revision, template: &str| {
        let naming = FileNaming::new(template, 40, "utc").unwrap();
        loaded
            .write(revision, new_file(&naming))
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&revision("1"), "%(rev)s").contains("two files are revision 1: "));
    assert!(refused(&revision("2"), "a").contains("a.sql exists already; "));
    assert!(
        refused(&revision("2"), "x.txt/%(rev)s")
            .ends_with("a file stands where its folder should be; move it")
    );
    let mut odd = revision("2");
    odd.upgrade.push(Segment::new(
        SegmentMode::Transaction,
        "SELECT 1;\n-- downgrade\nSELECT 2;",
    ));
    assert!(
        refused(&odd, "%(rev)s").contains("2.sql:12: a second or misplaced line `-- downgrade`; ")
    );
    odd.upgrade = vec![Segment::new(SegmentMode::Transaction, "SELECT 'x")];
    assert!(
        refused(&odd, "%(rev)s").contains("2.sql:8: the string that starts here is not closed; ")
    );
    odd.upgrade = vec![Segment::new(
        SegmentMode::Transaction,
        "SELECT 1;\n-- segment: transaction\nSELECT 2;",
    )];
    assert!(refused(&odd, "%(rev)s").contains("its SQL has comments `-- segment:` of its own, "));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    assert_eq!(
        fs::read_to_string(folder.path().join("a.sql")).unwrap(),
        ONE
    );
}

#[test]
fn subfolders_of_the_template_need_a_recursive_folder() {
    let folder = folder(&[]);
    let naming = FileNaming::new("%(year)d/%(rev)s", 40, "utc").unwrap();
    let write = |recursive| {
        let mut loaded = RevisionDirectory::load(&[location(folder.path(), recursive)]).unwrap();
        loaded.write(&revision("1"), new_file(&naming))
    };
    let flat = write(false).unwrap_err().to_string();
    assert!(flat.starts_with(
        "the file template puts 1970/1.sql in a subfolder, where it would not be found; "
    ));
    assert_eq!(write(true).unwrap(), folder.path().join("1970/1.sql"));
}

#[test]
fn a_new_revision_goes_where_its_branch_is() {
    let folder = folder(&[
        ("main/a.sql", ONE),
        ("accounts/", ""),
        ("main/records/b.sql", TWO),
    ]);
    let at = |name: &str, branch: Option<&str>| Location {
        path: folder.path().join(name),
        recursive: false,
        branch: branch.map(str::to_owned),
    };
    let locations = [
        at("main", None),
        at("accounts", Some("accounts")),
        at("main/records", None),
    ];
    let mut loaded = RevisionDirectory::load(&locations).unwrap();
    let naming = FileNaming::default();
    let mut place = |number: &str, revises: &[&str], labels: &[&str], asked: Option<&Path>| {
        let mut new = revision(number);
        new.header.revises = revises.iter().map(|it| id(it)).collect();
        new.header.branch_labels = labels.iter().map(|&it| it.to_owned()).collect();
        loaded
            .write(
                &new,
                NewFile {
                    folder: asked,
                    ..new_file(&naming)
                },
            )
            .map(|it| {
                it.parent()
                    .unwrap()
                    .strip_prefix(folder.path())
                    .unwrap()
                    .display()
                    .to_string()
            })
    };
    assert_eq!(place("10", &["1"], &[], None).unwrap(), "main");
    assert_eq!(place("11", &["2"], &[], None).unwrap(), "main/records");
    assert_eq!(
        place("12", &["1"], &["accounts"], None).unwrap(),
        "accounts"
    );
    assert_eq!(place("13", &["12"], &[], None).unwrap(), "accounts");
    assert_eq!(
        place(
            "14",
            &["1"],
            &[],
            Some(&folder.path().join("main/../accounts"))
        )
        .unwrap(),
        "accounts"
    );
    let which = place("15", &[], &[], None).unwrap_err().to_string();
    assert!(
        which.starts_with("several revision folders could take the new file ("),
        "{which}"
    );
    let unknown = place("15", &[], &[], Some(Path::new("elsewhere")))
        .unwrap_err()
        .to_string();
    assert!(
        unknown.starts_with("elsewhere is not one of the revision folders ("),
        "{unknown}"
    );
}

#[test]
fn a_missing_folder_may_be_one_without_revisions() {
    let folder = folder(&[]);
    let location = location(folder.path().join("later"), false);
    let load = |missing| RevisionDirectory::load_all(std::slice::from_ref(&location), &[], missing);
    let refused = load(Missing::Refuse).unwrap_err().to_string();
    assert!(refused.contains("later; create it with"), "{refused}");
    let naming = FileNaming::default();
    let mut loaded = load(Missing::Empty).unwrap();
    let path = loaded.write(&revision("1"), new_file(&naming)).unwrap();
    assert_eq!(path, folder.path().join("later/1_add_email.sql"));
}

#[test]
fn compiled_in_revisions_are_read_and_not_changed() {
    let embedded = [Embedded {
        name: "lib",
        files: &[("a.sql", ONE)],
    }];
    let mut loaded = RevisionDirectory::load_all(&[], &embedded, Missing::Refuse).unwrap();
    assert_eq!(loaded.get(&id("1")).unwrap().path, Path::new("lib/a.sql"));
    assert_eq!(
        loaded.read(&id("1")).unwrap(),
        Revision::parse(ONE, Path::new("a.sql")).unwrap()
    );
    let naming = FileNaming::default();
    let refused = loaded.write(&revision("2"), new_file(&naming));
    assert!(
        matches!(refused, Err(RevisionError::NoFolder)),
        "{refused:?}"
    );
    let refused = loaded.remove(&id("1")).unwrap_err().to_string();
    assert!(refused.contains("compiled into the program"), "{refused}");
}

/// Changes a field of the one revision in a file with this text.
#[track_caller]
fn check_change(text: &str, change: FieldChange<'_>, expect: &str) {
    let folder = folder(&[("a.sql", text)]);
    let locations = [location(folder.path(), false)];
    let mut loaded = RevisionDirectory::load(&locations).unwrap();
    loaded.change(&id("1"), change).unwrap();
    let found = fs::read_to_string(folder.path().join("a.sql")).unwrap();
    assert_eq!(found, expect);
    let again = RevisionDirectory::load(&locations).unwrap();
    assert!(again.headers().eq(loaded.headers()));
}

#[test]
fn a_changed_field_leaves_every_other_byte() {
    let file = "-- Title, revises: nothing\n--\n-- revision:1\n-- revises:  0\n-- created: now\n\n-- upgrade\n\
                -- revises: x\nSELECT 1 ;\n\n-- downgrade\n";
    let ids = [id("7"), id("8")];
    check_change(
        file,
        FieldChange::Revises(&ids),
        &file.replace("-- revises:  0\n", "-- revises:       7, 8\n"),
    );
    check_change(
        file,
        FieldChange::Revises(&[]),
        &file.replace("-- revises:  0\n", "-- revises:       <base>\n"),
    );
    check_change(
        file,
        FieldChange::BranchLabels(&["lib".to_owned()]),
        &file.replace("0\n", "0\n-- branch labels: lib\n"),
    );
    let file = "-- revision: 1\r\n-- upgrade\r\n-- downgrade\r\n";
    check_change(
        file,
        FieldChange::Revises(&ids[..1]),
        &file.replace("1\r\n", "1\r\n-- revises:       7\r\n"),
    );
}

#[test]
fn a_removed_revision_is_gone() {
    let folder = folder(&[("a.sql", ONE), ("b.sql", TWO)]);
    let mut loaded = RevisionDirectory::load(&[location(folder.path(), false)]).unwrap();
    let removed = loaded.remove(&id("1")).unwrap();
    assert_eq!(removed.path, folder.path().join("a.sql"));
    assert!(!removed.path.exists() && loaded.get(&id("1")).is_none());
    assert_eq!(loaded.read(&id("2")).unwrap().header.revision, id("2"));
}

/// Squashes `1` and `2` into `2`; `expect` are the files afterwards, with `id name` of those that load.
#[track_caller]
fn check_squash(template: &str, recursive: bool, expect: Result<&[&str], &str>) {
    let folder = folder(&[("a.sql", ONE), ("sub/b.sql", TWO)]);
    let locations = [
        location(folder.path().join("sub"), recursive),
        location(folder.path(), false),
    ];
    let mut loaded = RevisionDirectory::load(&locations).unwrap();
    let naming = FileNaming::new(template, 40, "utc").unwrap();
    let mut squashed = revision("2");
    squashed.header.replaces = vec![id("1")];
    let found = loaded.squash(&squashed, &[id("1")], new_file(&naming));
    let again = RevisionDirectory::load(&locations).unwrap();
    let names = |loaded: &RevisionDirectory| -> Vec<String> {
        let relative = |it: &Path| {
            it.strip_prefix(folder.path())
                .unwrap()
                .display()
                .to_string()
        };
        loaded
            .headers()
            .map(|it| format!("{} {}", it.header.revision, relative(&it.path)))
            .collect()
    };
    match (found, expect) {
        (Ok((path, removed)), Ok(expect)) => {
            assert_eq!(names(&loaded), expect);
            assert_eq!(names(&again), expect);
            assert_eq!(removed, [folder.path().join("a.sql")]);
            assert_eq!(loaded.get(&id("2")).unwrap().path, path);
            assert_eq!(again.read(&id("2")).unwrap(), squashed);
        }
        (Err(error), Err(expect)) => {
            assert!(error.to_string().starts_with(expect), "{error}");
            assert_eq!(names(&again), ["2 sub/b.sql", "1 a.sql"]);
        }
        (found, _) => panic!("{found:?}"),
    }
}

#[test]
fn a_squashed_revision_takes_the_place_of_the_last_one() {
    check_squash("%(rev)s_%(slug)s", false, Ok(&["2 sub/2_add_email.sql"]));
    check_squash("b", false, Ok(&["2 sub/b.sql"]));
    check_squash("%(year)s/%(rev)s", true, Ok(&["2 sub/1970/2.sql"]));
    let refused = "the file template puts 1970/2.sql in a subfolder";
    check_squash("%(year)s/%(rev)s", false, Err(refused));
}

#[test]
fn a_squash_of_what_is_not_there_changes_nothing() {
    let folder = folder(&[("a.sql", ONE)]);
    let mut loaded = RevisionDirectory::load(&[location(folder.path(), false)]).unwrap();
    let naming = FileNaming::new("%(rev)s", 40, "utc").unwrap();
    for (own, gone) in [("1", "2"), ("2", "1")] {
        let error = loaded
            .squash(&revision(own), &[id(gone)], new_file(&naming))
            .unwrap_err();
        assert!(error.to_string().starts_with("no revision 2 in"), "{error}");
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("a.sql")).unwrap(),
        ONE
    );
}

#[test]
fn what_is_compiled_in_has_no_file_to_squash() {
    let embedded = Embedded {
        name: "accounts",
        files: &[("a.sql", ONE)],
    };
    let loaded = RevisionDirectory::load_all(&[], &[embedded], Missing::Refuse).unwrap();
    let error = loaded.file(&id("1")).unwrap_err().to_string();
    let expect = "revision 1 is compiled into the program and has no file here; ";
    assert!(error.starts_with(expect), "{error}");
}

//! Real files.

use std::fs;

use super::{check_problems, records};
use crate::zonefile::{from_disk, parse_name, read};

#[test]
fn files_and_their_includes() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("example.zone");
    fs::create_dir(folder.path().join("hosts")).unwrap();
    fs::write(
        &main,
        "$TTL 1h\n@ SOA ns hm 1 1h 15m 1w 5m\n NS ns\nns A 192.0.2.1\n$INCLUDE hosts/a.zone\n$INCLUDE hosts/none.zone\n$INCLUDE hosts\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("hosts/a.zone"),
        "a A 192.0.2.2\n$INCLUDE b.zone b\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("hosts/b.zone"),
        "@ A 192.0.2.3\n$INCLUDE ../hosts/a.zone\n",
    )
    .unwrap();
    let apex = parse_name("Example.").unwrap();
    let reading = read(&apex, &main, &mut |path| from_disk(path));
    let expected = [
        "2:17 warning relative",
        "2:10 error includes itself",
        "6:10 error No such file",
        "7:10 error not a regular file",
    ];
    check_problems(&reading, "files", &expected);
    assert_eq!(
        reading.problems[1].place.file.as_ref(),
        folder.path().join("hosts/b.zone")
    );

    let text = fs::read_to_string(&main).unwrap();
    fs::write(&main, text.split("$INCLUDE hosts/none").next().unwrap()).unwrap();
    fs::write(folder.path().join("hosts/b.zone"), "@ A 192.0.2.3\n").unwrap();
    let reading = read(&apex, &main, &mut |path| from_disk(path));
    let got = records(&reading.zone.unwrap());
    assert_eq!(
        got[2..],
        [
            "a.example 3600 A c0000202",
            "b.example 3600 A c0000203",
            "ns.example 3600 A c0000201"
        ]
    );
}

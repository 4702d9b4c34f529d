//! Whole inputs: what is cut out of each arrangement, in whatever pieces it is read.

use std::io::{Cursor, Read, Write};

use proptest::prelude::*;

use super::*;

/// Gives at most so many bytes at once.
struct Dribble(Cursor<Vec<u8>>, usize);

impl Read for Dribble {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

/// What was cut out (form, place, text) and what was not (place, reason).
type Outcome = (Vec<(Form, u64, String)>, Vec<(u64, String)>);

fn cut(input: impl Read + Send + 'static) -> Outcome {
    let mut records = Records::open(input).unwrap();
    let (mut found, mut misread) = (Vec::new(), Vec::new());
    loop {
        let mut batch = RecordBatch::default();
        let more = records.fill(&mut batch).unwrap();
        let (bytes, spans, wrong) = batch.into_parts();
        found.extend(spans.iter().map(|span| {
            let text = String::from_utf8_lossy(&bytes[span.start..span.end]).into_owned();
            (span.form, span.place, text)
        }));
        misread.extend(wrong.into_iter().map(|it| (it.place, it.reason)));
        if more == More::No {
            return (found, misread);
        }
    }
}

fn texts(input: &str) -> Vec<String> {
    let (found, misread) = cut(Cursor::new(input.as_bytes().to_vec()));
    assert_eq!(misread, [], "{input}");
    found.into_iter().map(|(_, _, text)| text).collect()
}

#[test]
fn every_arrangement_of_json_gives_its_records() {
    let two = [r#"{"a":1}"#, r#"{"a":{"value":[{"b":2}]}}"#];
    for input in [
        format!("{}\n{}\n", two[0], two[1]),
        format!("{}\r\n{}\r\n", two[0], two[1]),
        format!("\u{feff}[{},\n {}]", two[0], two[1]),
        format!(r#"{{"records":[{},{}]}}"#, two[0], two[1]),
        format!(
            r#"{{"@odata.context":"x","value":[{},{}],"@odata.nextLink":"y"}}"#,
            two[0], two[1]
        ),
        format!("{}{}", two[0], two[1]),
        format!("{{\"records\":[{}]}}\n{{\"records\":[{}]}}\n", two[0], two[1]),
        format!("{},\n{},\n", two[0], two[1]),
    ] {
        assert_eq!(texts(&input), two, "{input}");
    }
    assert_eq!(texts("[]"), [""; 0]);
    assert_eq!(texts(r#"{"value":[]}"#), [""; 0]);
    assert_eq!(texts(""), [""; 0]);
}

#[test]
fn tables_and_csv_give_their_rows_with_the_names_of_columns() {
    let table = r#"{"tables":[{"name":"T","columns":[{"name":"Id","type":"string"},{"name":"X","type":"int"}],"rows":[["a",1],["b",2]]}]}"#;
    assert_eq!(
        texts(table),
        [r#"{"columns":["Id","X"],"row":["a",1]}"#, r#"{"columns":["Id","X"],"row":["b",2]}"#]
    );
    let csv =
        "\u{feff}TimeGenerated,Id,Note\r\n1,a,\"two\r\nlines, and a \"\"quote\"\"\"\r\n2,b,\r\n";
    assert_eq!(
        texts(csv),
        [
            "TimeGenerated,Id,Note\n1,a,\"two\r\nlines, and a \"\"quote\"\"\"",
            "TimeGenerated,Id,Note\n2,b,"
        ]
    );
}

#[test]
fn what_stands_before_a_header_is_passed_over() {
    for (before, sign) in [
        ("", '|'),
        ("sep=,\n", ','),
        ("sep=;\r\n", ';'),
        ("#TYPE System.Management.Automation.PSCustomObject\n", ','),
        ("\n\n", ','),
        ("Sign-ins of the last day\n\n", ','),
    ] {
        let row = |cells: &str| cells.replace(',', &sign.to_string());
        let (header, one) = (row("TimeGenerated,Id,ResultType"), row("1,a,0"));
        assert_eq!(
            texts(&format!("{before}{header}\n{one}\n")),
            [format!("{header}\n{one}")],
            "{before}{sign}"
        );
    }
}

#[test]
fn lines_may_end_with_a_carriage_return_alone() {
    let (found, misread) = cut(Cursor::new(b"TimeGenerated,Id\r1,a\r2,b\r".to_vec()));
    let found: Vec<_> = found.iter().map(|(_, place, text)| (*place, text.as_str())).collect();
    assert_eq!(found, [(2, "TimeGenerated,Id\n1,a"), (3, "TimeGenerated,Id\n2,b")]);
    assert_eq!(misread, []);
}

#[test]
fn another_header_begins_another_table() {
    let text =
        "TimeGenerated,Id\n1,a\nTimeGenerated,AppId,Id\n2,x,b\nTimeGenerated,AppId,Id\n3,y,c\n";
    assert_eq!(
        texts(text),
        ["TimeGenerated,Id\n1,a", "TimeGenerated,AppId,Id\n2,x,b", "TimeGenerated,AppId,Id\n3,y,c"]
    );
}

#[test]
fn texts_that_hold_records_are_cut_like_records() {
    for text in [r#"["{\"a\":1}","{\"a\":2}"]"#, r#"{"records":["{\"a\":1}","{\"a\":2}"]}"#] {
        assert_eq!(texts(text), [r#""{\"a\":1}""#, r#""{\"a\":2}""#], "{text}");
    }
}

#[test]
fn what_a_shipper_writes_before_a_record_is_no_record() {
    let line = "<134>1 2026-11-20T02:04:11Z host app[12] - {\"a\":1}\n";
    assert_eq!(texts(&line.repeat(3)), ["{\"a\":1}"; 3]);
    let (found, misread) = cut(Cursor::new(b"torn\"}} {\"a\":1}\n".to_vec()));
    assert_eq!((found.len(), misread.len()), (1, 1), "the end of a torn record is not passed over");
}

#[test]
fn an_answer_that_is_partial_says_so() {
    let table = r#"{"tables":[{"name":"T","columns":[{"name":"Id"}],"rows":[["a"]]}],"error":{"code":"PartialError"}}"#;
    let (found, misread) = cut(Cursor::new(table.as_bytes().to_vec()));
    assert_eq!(found.len(), 1);
    assert!(misread[0].1.contains("only a part of the rows"), "{misread:?}");
}

#[test]
fn archives_are_set_aside_once_with_what_to_do() {
    let mut zip = b"PK\x03\x04\x14\0\0\0".to_vec();
    zip.extend_from_slice(&b"{\"a\":1}\n\x01\x02\xff".repeat(100));
    let (found, misread) = cut(Cursor::new(zip));
    assert_eq!((found.len(), misread.len()), (0, 1));
    assert!(misread[0].1.contains("unpack it"), "{misread:?}");
}

#[test]
fn gzip_and_utf_16_are_undone() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(b"{\"a\":1}\n{\"a\":2}\n").unwrap();
    let (found, _) = cut(Cursor::new(gz.finish().unwrap()));
    assert_eq!(found.len(), 2);
    let wide: Vec<u8> = std::iter::once(0xfeff)
        .chain("[{\"a\":\"\u{1f600}\"}]".encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let (unmarked, _) = cut(Cursor::new(wide[2..].to_vec()));
    let (found, _) = cut(Cursor::new(wide));
    assert_eq!(found[0].2, "{\"a\":\"\u{1f600}\"}");
    assert_eq!(unmarked, found, "without a mark");
}

#[test]
fn a_record_that_was_cut_off_spoils_no_other() {
    let (found, misread) = cut(Cursor::new(b"{\"a\":1}\n{\"a\":\n{\"a\":3}\n{\"a\":4".to_vec()));
    assert!(found.iter().any(|(_, _, text)| text == "{\"a\":3}"), "{found:?}");
    assert_eq!(found[0].2, "{\"a\":1}");
    assert!(found.len() + misread.len() >= 4, "{found:?} {misread:?}");
}

#[test]
fn whatever_is_not_closed_spoils_no_whole_line_behind_it() {
    let whole = r#"{"b":{"c":2}}"#;
    for rubbish in [
        r#"{"a":"#,
        r#"{"a":["#,
        r#"{"a":1,"#,
        r#"x {"a":["#,
        r#"[{"a":1,"#,
        r#"[{"a":1}"x"#,
        r#"[{"a":1}"\"#,
        r#"{"value":[]"#,
        r#"{"value":[],"#,
        r#"{"tables":[{"columns":[],"rows":[["#,
        "one,two,three",
        "TimeGenerated,\"Id",
        "TimeGenerated,Id\n1,\"2",
    ] {
        let text = format!("{rubbish}\n{whole}\n{whole}\n");
        let (found, _) = cut(Cursor::new(text.clone().into_bytes()));
        let whole =
            found.iter().filter(|(form, _, it)| (*form, it.as_str()) == (Form::Json, whole));
        assert_eq!(whole.count(), 2, "{text}: {found:?}");
    }
}

#[test]
fn what_stands_before_the_place_where_gzip_breaks_off_is_cut() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(b"{\"a\":1}\n{\"a\":2}").unwrap();
    let mut bytes = gz.finish().unwrap();
    bytes.truncate(bytes.len() - 4);
    let mut records = Records::open(Cursor::new(bytes)).unwrap();
    let mut batch = RecordBatch::default();
    assert!(records.fill(&mut batch).is_err());
    assert_eq!((batch.len(), batch.misread().len()), (2, 0));
}

#[test]
fn text_between_documents_is_set_aside_with_its_line() {
    let (found, misread) = cut(Cursor::new(b"Here it is:\n{\"a\":1}\nand\n{\"a\":2}\n".to_vec()));
    assert_eq!(found.len(), 2);
    assert_eq!(misread.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_record_longer_than_any_is_set_aside_in_bounded_memory() {
    let endless = std::io::repeat(b'x').take(40 << 20);
    let input = Cursor::new(b"{\"a\":\"".to_vec())
        .chain(endless)
        .chain(Cursor::new(b"\"}\n{\"a\":1}\n".to_vec()));
    let mut records = Records::open(input).unwrap();
    let mut batch = RecordBatch::default();
    while records.fill(&mut batch).unwrap() == More::Yes {}
    assert!(records.window.len() <= 64 << 20, "{}", records.window.len());
    let (bytes, spans, misread) = batch.into_parts();
    assert_eq!(misread.len(), 1, "{}", misread.len());
    assert!(misread[0].excerpt.len() <= 64 << 10);
    assert_eq!(&bytes[spans[0].start..spans[0].end], b"{\"a\":1}");
}

/// Pieces of which inputs are put together.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(r#"{"id":"a","x":[1,{"y":"}"}]}"#.to_owned()),
        Just(r#"{"value":[{"id":"b"},{"id":"c"}]}"#.to_owned()),
        Just(r#"{"records":[{"id":"d"}],"more":{}}"#.to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just("\n".to_owned()),
        Just("\"".to_owned()),
        Just("{\"cut\":\"off".to_owned()),
        Just("{\"cut\":[\n".to_owned()),
        Just("\n{\"id\":\"e\"},\n".to_owned()),
        Just("one,two,three\n".to_owned()),
        Just("\n{ \"id\":\"f\"}\n".to_owned()),
        Just("prose, and more".to_owned()),
        Just("TimeGenerated,Id\n1,2\n".to_owned()),
        r#"[{}\[\]",:\\a \n]{0,12}"#,
    ]
}

proptest! {
    #[test]
    fn what_is_cut_out_does_not_depend_on_how_it_is_read(
        pieces in prop::collection::vec(piece(), 0..20),
        size in 1..200_usize,
    ) {
        let input = pieces.concat().into_bytes();
        let whole = cut(Cursor::new(input.clone()));
        let dribbled = cut(Dribble(Cursor::new(input), size));
        prop_assert_eq!(whole, dribbled);
    }

    #[test]
    fn no_input_breaks_the_cutters(input in prop::collection::vec(any::<u8>(), 0..600)) {
        cut(Cursor::new(input.clone()));
        let _ = cut_page(input);
    }
}

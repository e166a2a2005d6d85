//! Real logs, where they are at hand: `../shared/data` beside the project. The expected figures were counted by DuckDB 2.0 and by
//! hand; the queries stand beside them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{ask, root};

/// The file `name` of the shared data; `None`, and a word about it, where they are not.
fn shared(name: &str) -> Option<PathBuf> {
    let folder = root().parent()?.join("shared/data");
    if !folder.exists() {
        println!("skipped: ../shared/data is not here");
        return None;
    }
    Some(folder.join(name))
}

/// The values of `keys` in an object.
fn values<const N: usize>(object: &Value, keys: [&str; N]) -> [Value; N] {
    keys.map(|key| object[key].clone())
}

const ACCOUNT: [&str; 4] = ["records", "used", "visitors", "sessions"];

/// Requests to NASA's web server in 1995: tabs, `host url time` in seconds, and two fields behind the header's last in every row,
/// both empty.
///
/// ```sql
/// CREATE TABLE n AS SELECT host, "time"::BIGINT AS t, row_number() OVER () AS rn,
///   coalesce(nullif(regexp_replace(regexp_replace(split_part(url, '?', 1), '/index\.html$', '/'), '/+$', ''), ''), '/') AS page
/// FROM read_csv('nasa_19950701_10k.tsv', delim='\t', quote='', all_varchar=true, null_padding=true, strict_mode=false);
/// ```
#[test]
fn nasa_july() {
    let Some(log) = shared("nasa_http/nasa_19950701_10k.tsv") else { return };
    let inspected = ask("inspect", &[&log], &[]);
    // SELECT count(*), count(DISTINCT host), count(DISTINCT page), min(t), max(t) FROM n
    // SELECT sum((d IS NULL OR d > 1800)::INT) FROM (SELECT t - lag(t) OVER (PARTITION BY host ORDER BY t, rn) AS d FROM n)
    assert_eq!(values(&inspected["account"], ACCOUNT), [9999, 9999, 936, 1004].map(|count| json!(count)));
    let report = &inspected["report"];
    let span = values(report, ["first_event", "last_event"]);
    assert_eq!(span, ["1995-07-01T04:00:01Z", "1995-07-01T07:39:44Z"].map(|time| json!(time)));
    assert_eq!(report["pages"].as_array().unwrap().len(), 803);
    // SELECT page, count(*), count(DISTINCT host) FROM n GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3
    let page = |page: &str, count: u64, visitors: u64| json!({ "page": page, "count": count, "visitors": visitors });
    let expected = [
        page("/images/NASA-logosmall.gif", 639, 538),
        page("/images/KSC-logosmall.gif", 546, 507),
        page("/shuttle/countdown", 426, 377),
    ];
    assert_eq!(report["pages"].as_array().unwrap()[..3], expected);
}

#[test]
fn nasa_july_by_a_timeout_of_a_minute() {
    let Some(log) = shared("nasa_http/nasa_19950701_10k.tsv") else { return };
    // … sum((d IS NULL OR d > 60)::INT), sum((d IS NULL OR d >= 60)::INT) …
    for (edge, sessions) in [("exceeds", 2647), ("reaches", 2664)] {
        let summary = ask("summary", &[&log], &["--timeout", "1m", "--timeout-edge", edge]);
        assert_eq!(summary["report"]["sessions"], json!(sessions), "{edge}");
    }
}

#[test]
fn nasa_july_bounces_and_a_funnel_of_pages() {
    let Some(log) = shared("nasa_http/nasa_19950701_10k.tsv") else { return };
    // Every request is a page view. SELECT count(*) FILTER (c = 1), count(*) FROM (sessions with c events): 104 of 1004
    let summary = ask("summary", &[&log], &[]);
    let bounces = summary["report"]["bounce_rate"].as_f64().unwrap() * 1004.0;
    assert!((bounces - 104.0).abs() < 1e-9, "{bounces} bounces");
    // SELECT count(DISTINCT host) FROM n a JOIN n b USING (host) WHERE a.page = '/shuttle/countdown'
    //   AND b.page = '/shuttle/countdown/liftoff.html' AND b.t >= a.t
    let funnel = ask("funnel", &[&log], &["--steps", "/shuttle/countdown > /shuttle/countdown/liftoff.html"]);
    let entered = [0, 1].map(|step| funnel["report"]["steps"][step]["entered"].clone());
    assert_eq!(entered, [377, 58].map(|count| json!(count)));
}

#[test]
fn nasa_in_three_files_with_different_headers() {
    let Some(folder) = shared("nasa_http") else { return };
    let glob = folder.join("*.tsv");
    let inspected = ask("inspect", &[&glob], &[]);
    // The same over all three files in order of their names, ORDER BY t, file, rn.
    assert_eq!(values(&inspected["account"], ACCOUNT), [50967, 50967, 3467, 4269].map(|count| json!(count)));
    // 1,946 pages, less one: `//shuttle/missions/missions.html` names, as a URL does, a host `shuttle` and a page that is there too.
    assert_eq!(inspected["report"]["pages"].as_array().unwrap().len(), 1945);
    let columns = [0, 2].map(|file| inspected["report"]["files"][file]["columns"].as_array().unwrap().len());
    assert_eq!(columns, [7, 9]);
}

/// One row of Segment's page table, as dbt packages ship it.
#[test]
fn segment_pages() {
    let Some(log) = shared("dbt_seeds/dbt-labs+segment/integration_tests/seeds/example_segment_pages.csv") else {
        return;
    };
    let inspected = ask("inspect", &[&log], &[]);
    assert_eq!(values(&inspected["account"], ACCOUNT), [1, 1, 1, 1].map(|count| json!(count)));
    // `path` is a better guess than `url`, whose path is `/`.
    assert_eq!(inspected["report"]["pages"], json!([{ "page": "/product", "count": 1, "visitors": 1 }]));
    assert_eq!(inspected["report"]["first_event"], json!("2015-02-23T22:28:55Z"));
    let summary =
        ask("summary", &[&log], &["--by", "context_campaign_source", "--page", "url", "--visitor", "user_id"]);
    assert_eq!(summary["report"]["bounce_rate"], json!(1.0));
    assert_eq!(summary["report"]["segments"][0]["by"], json!({ "context_campaign_source": "facebook" }));
}

/// Ten rows of Amplitude's event table with CRLF line ends, quoted JSON and an event name of 300 letters, counted by hand. The session
/// id is -1 in all, which is Amplitude's word for none: so the timeout cuts.
#[test]
fn amplitude_events() {
    let Some(log) = amplitude() else { return };
    let flags = ["--visitor", "device_id", "--time", "event_time", "--session", "session_id"];
    let inspected = ask("inspect", &[&log], &flags);
    // Devices 2ff5…: 1 event; 3b41…: 5 on 5 days; 600b…: 4, two of them in the same second.
    assert_eq!(values(&inspected["account"], ACCOUNT), [10, 10, 3, 9].map(|count| json!(count)));
    let events: Vec<&Value> =
        inspected["report"]["events"].as_array().unwrap().iter().map(|row| &row["count"]).collect();
    assert_eq!(events, [3, 3, 2, 1, 1]);
    assert_eq!(inspected["report"]["last_event"], json!("2025-03-01T19:42:58.123Z"));
}

#[test]
fn an_amplitude_funnel() {
    let Some(log) = amplitude() else { return };
    // Device 3b41…: _3 on 11 February, _2 on the 1st, 12th and 13th, the plain one on 1 March.
    let steps = "watch_test_amplitude_3 > watch_test_amplitude_2 > watch_test_amplitude";
    for (window, last) in [("7d", 0), ("18d", 1), ("none", 1)] {
        let flags = ["--visitor", "device_id", "--time", "event_time", "--steps", steps, "--window", window];
        let report = ask("funnel", &[&log], &flags)["report"].take();
        let entered = [0, 1, 2].map(|step| report["steps"][step]["entered"].clone());
        assert_eq!(entered, [json!(1), json!(1), json!(last)], "{window}");
    }
}

fn amplitude() -> Option<PathBuf> {
    shared("dbt_seeds/fivetran+dbt_amplitude/integration_tests/seeds/amplitude_event_data.csv")
}

#[test]
fn the_shared_data_are_looked_for_beside_the_project() {
    let here = Path::new(root()).parent().unwrap().join("shared/data").exists();
    assert_eq!(shared("").is_some(), here);
}

/// Sessions of the OTTO shop, one in a line with all of its events: what can be read without unnesting are its first ones.
///
/// ```python
/// Counter(r['events'][0]['type'] for r in rows), Counter(r['events'][1]['type'] for r in rows)
/// ```
#[test]
fn otto_first_events() {
    let Some(log) = shared("otto/test/resources/train.jsonl") else { return };
    let flags = ["--visitor", "session", "--time", "events.0.ts", "--event", "events.0.type", "--dim", "events.1.type"];
    let inspected = ask("inspect", &[&log], &flags);
    assert_eq!(values(&inspected["account"], ACCOUNT), [20, 20, 20, 20].map(|count| json!(count)));
    assert_eq!(inspected["report"]["events"][0]["count"], json!(18));
    assert_eq!(inspected["report"]["first_event"], json!("2022-07-31T22:00:00.025Z"));
    let steps = ["--steps", "clicks{events.1.type = carts}"];
    let funnel = ask("funnel", &[&log], &[&flags[..], &steps].concat());
    // sum(r['events'][0]['type'] == 'clicks' and r['events'][1]['type'] == 'carts' for r in rows)
    assert_eq!(funnel["report"]["steps"][0]["entered"], json!(1));
}

/// Requests to a collector as NDJSON, with the body as a text of JSON: 11 lines.
#[test]
fn requests_of_a_collector() {
    let folder = "aws_clickstream/src/data-pipeline/spark-etl/src/test/resources/gtm-server";
    let Some(log) = shared(&format!("{folder}/server-all.json")) else { return };
    let flags = ["--visitor", "ip", "--time", "ingest_time", "--event", "rid"];
    let inspected = ask("inspect", &[&log], &flags);
    // len({r['ip'] for r in rows}) == 4
    assert_eq!(inspected["account"]["used"], json!(11));
    assert_eq!(inspected["account"]["visitors"], json!(4));
    assert_eq!(inspected["report"]["last_event"], json!("2023-09-21T01:54:26.828Z"));
}

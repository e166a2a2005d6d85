-- The answers for shop.csv.gz, in DuckDB SQL. Run them with `python3 answers.py`, or in the DuckDB shell from this
-- folder with `.read answers.sql`. Everything before the first "name" line only prepares tables.

SET threads = 1;
SET preserve_insertion_order = true;

-- Events in journey order: by time, then by row in the file. Times are whole seconds without a zone, read as UTC.
-- A session ends where the next event of the visitor comes more than 30 minutes (1,800 s) later.
CREATE OR REPLACE TABLE events AS
WITH log AS (
  SELECT user_id AS visitor, session_id AS given_session, event, platform,
         epoch("timestamp"::TIMESTAMP)::BIGINT AS t, row_number() OVER () AS arrival
  FROM read_csv('shop.csv.gz', header = true, all_varchar = true)
), gaps AS (
  SELECT *, t - lag(t) OVER journey AS gap FROM log WINDOW journey AS (PARTITION BY visitor ORDER BY t, arrival)
), numbered AS (
  SELECT *, count(*) FILTER (gap IS NULL OR gap > 1800) OVER (PARTITION BY visitor ORDER BY t, arrival) AS number
  FROM gaps
)
SELECT visitor, visitor || '/' || number AS session, given_session, event, platform, t, arrival FROM numbered;

CREATE OR REPLACE TABLE sessions AS
SELECT visitor, session, count(*) AS events, min(t) AS first_t, max(t) AS last_t, max(t) - min(t) AS duration_s,
       count(*) FILTER (event = 'purchase') AS purchases
FROM events GROUP BY ALL;

-- Paths: the nodes of a session one after another. Of repeats in a row only the first is kept.
CREATE OR REPLACE TABLE path AS
WITH marked AS (
  SELECT *, event IS DISTINCT FROM lag(event) OVER (PARTITION BY session ORDER BY t, arrival) AS kept FROM events
)
SELECT visitor, session, event AS node, t,
       row_number() OVER journey AS position, lead(event) OVER journey AS next, lead(t) OVER journey - t AS seconds
FROM marked WHERE kept
WINDOW journey AS (PARTITION BY session ORDER BY t, arrival);

-- The same with every repeat kept.
CREATE OR REPLACE TABLE path_keep AS
SELECT visitor, session, event AS node, t, lead(event) OVER (PARTITION BY session ORDER BY t, arrival) AS next
FROM events;

-- Nearest rank: the value at rank ceil(percent/100 * n) of the n values in ascending order.
CREATE OR REPLACE MACRO nearest_rank(x, percent) AS list_sort(list(x) FILTER (x IS NOT NULL))[(percent * count(x) + 99) // 100];
CREATE OR REPLACE MACRO mean(x) AS round(sum(x) / count(x), 6);

-- Funnel attempts for steps whose event names all differ (no event can fill two steps, so the order of equal times
-- does not matter). From every first-step event take the earliest next step again and again, up to `within` seconds
-- after the first. Of a journey's attempts report the deepest; of those the one that ends first; of those the one
-- that starts last. `grain` is 'visitor' or 'session'; unused steps and an unlimited window are NULL.
CREATE OR REPLACE MACRO attempts(grain, s1, s2, s3, s4, s5, within) AS TABLE
WITH e AS (SELECT DISTINCT if(grain = 'session', session, visitor) AS journey, event, t FROM events),
c1 AS (SELECT journey, t AS t1, t + coalesce(within, 1000000000000) AS til FROM e WHERE event = s1),
c2 AS (SELECT *, (SELECT min(t) FROM e WHERE e.journey = c1.journey AND event = s2 AND t >= t1 AND t <= til) AS t2 FROM c1),
c3 AS (SELECT *, (SELECT min(t) FROM e WHERE e.journey = c2.journey AND event = s3 AND t >= t2 AND t <= til) AS t3 FROM c2),
c4 AS (SELECT *, (SELECT min(t) FROM e WHERE e.journey = c3.journey AND event = s4 AND t >= t3 AND t <= til) AS t4 FROM c3),
c5 AS (SELECT *, (SELECT min(t) FROM e WHERE e.journey = c4.journey AND event = s5 AND t >= t4 AND t <= til) AS t5 FROM c4),
chains AS (SELECT journey, [t1, t2, t3, t4, t5] AS times, coalesce(t5, t4, t3, t2, t1) AS last_t,
                  5 - (t2 IS NULL)::INT - (t3 IS NULL)::INT - (t4 IS NULL)::INT - (t5 IS NULL)::INT AS depth FROM c5)
SELECT journey, times, depth FROM chains
QUALIFY row_number() OVER (PARTITION BY journey ORDER BY depth DESC, last_t, times[1] DESC) = 1;

-- One row per step: how many journeys reached it, and the times of their reported attempts.
CREATE OR REPLACE MACRO funnel(grain, s1, s2, s3, s4, s5, within) AS TABLE
WITH step AS (SELECT unnest([s1, s2, s3, s4, s5]) AS step, unnest([1, 2, 3, 4, 5]) AS k),
reached AS (SELECT step, k, times[k] - times[k - 1] AS previous_s, if(k = 1, NULL, times[k] - times[1]) AS first_s, depth
            FROM step LEFT JOIN attempts(grain, s1, s2, s3, s4, s5, within) ON depth >= k WHERE step IS NOT NULL)
SELECT k AS number, step, count(depth) AS entered, count(*) FILTER (depth = k) AS stopped_here,
       mean(previous_s) AS from_previous_mean_s, median(previous_s) AS from_previous_median_s,
       nearest_rank(previous_s, 90) AS from_previous_p90_s,
       mean(first_s) AS from_first_mean_s, median(first_s) AS from_first_median_s, nearest_rank(first_s, 90) AS from_first_p90_s
FROM reached GROUP BY k, step ORDER BY k;

-- Abandonment. Started: at least one `start` event. The three rules ask for a purchase after the first start, after
-- the last start, or anywhere; the same second counts as after.
CREATE OR REPLACE MACRO starters(grain, start) AS TABLE
WITH j AS (SELECT visitor, if(grain = 'session', session, visitor) AS journey, min(t) FILTER (event = start) AS first_start,
                  max(t) FILTER (event = start) AS last_start, max(t) FILTER (event = 'purchase') AS last_purchase, max(t) AS last_t
           FROM events GROUP BY ALL)
SELECT visitor, journey, first_start, last_t, coalesce(last_purchase >= first_start, false) AS after_first,
       coalesce(last_purchase >= last_start, false) AS after_last, last_purchase IS NOT NULL AS anywhere
FROM j WHERE first_start IS NOT NULL;

-- The abandoned sessions by the rule after_first. Recovered: the visitor buys in a later session that starts at most
-- 7 days after the last event of this one. Too recent: not recovered, and the log ends before the 7 days are over.
CREATE OR REPLACE MACRO abandoned(start) AS TABLE
WITH a AS (
  SELECT visitor, journey AS session, first_start, last_t,
         EXISTS (FROM sessions l WHERE l.visitor = s.visitor AND l.first_t > s.last_t
                 AND l.first_t <= s.last_t + 7 * 86400 AND l.purchases > 0) AS recovered
  FROM starters('session', start) s WHERE NOT after_first
)
SELECT *, NOT recovered AND last_t + 7 * 86400 > (SELECT max(t) FROM events) AS too_recent FROM a;

-- name: account
SELECT count(*) AS events, count(DISTINCT visitor) AS visitors, count(DISTINCT given_session) AS given_sessions,
       count(DISTINCT event) AS event_names, strftime(make_timestamp(min(t) * 1000000), '%Y-%m-%dT%H:%M:%SZ') AS first_time,
       strftime(make_timestamp(max(t) * 1000000), '%Y-%m-%dT%H:%M:%SZ') AS last_time,
       (SELECT count(*) FROM (SELECT 1 FROM events GROUP BY visitor, t HAVING count(*) > 1)) AS instants_with_ties
FROM events;

-- name: events
SELECT event, count(*) AS count, count(DISTINCT session) AS sessions, count(DISTINCT visitor) AS visitors
FROM events GROUP BY event ORDER BY count DESC, event;

-- name: sessions
-- (the two partitions are the same when no session holds two given ids and no given id lies in two sessions)
SELECT count(*) AS sessions, mean(duration_s) AS duration_mean_s, median(duration_s) AS duration_median_s,
       nearest_rank(duration_s, 90) AS duration_p90_s, max(duration_s) AS duration_max_s, mean(events) AS events_per_session,
       median(events) AS events_per_session_median, count(*) FILTER (events = 1) AS single_event_sessions,
       (SELECT count(DISTINCT (session, given_session)) = count(DISTINCT session)
               AND count(DISTINCT session) = count(DISTINCT given_session) FROM events) AS same_as_given_sessions
FROM sessions;

-- name: nodes
-- (repeats in a row collapsed, the first kept)
SELECT node, count(*) AS count, count(DISTINCT session) AS sessions, count(DISTINCT visitor) AS visitors,
       count(*) FILTER (position = 1) AS entries, count(*) FILTER (next IS NULL) AS exits
FROM path GROUP BY node ORDER BY node;

-- name: transitions
-- (repeats in a row collapsed, the first kept; seconds between the kept events)
SELECT node AS "from", next AS "to", count(*) AS count, count(DISTINCT session) AS sessions,
       count(DISTINCT visitor) AS visitors, mean(seconds) AS mean_s, median(seconds) AS median_s,
       nearest_rank(seconds, 95) AS p95_s
FROM path WHERE next IS NOT NULL GROUP BY ALL ORDER BY node, next;

-- name: transitions_keep
-- (every repeat kept)
SELECT node AS "from", next AS "to", count(*) AS count, count(DISTINCT session) AS sessions,
       count(DISTINCT visitor) AS visitors
FROM path_keep WHERE next IS NOT NULL GROUP BY ALL ORDER BY node, next;

-- name: paths
-- (the 20 most frequent whole paths of sessions, repeats collapsed, and their share of all sessions)
WITH p AS (SELECT visitor, session, string_agg(node, ' > ' ORDER BY position) AS path FROM path GROUP BY ALL)
SELECT path, count(*) AS count, count(DISTINCT visitor) AS visitors, round(count(*) / (SELECT count(*) FROM p), 6) AS share
FROM p GROUP BY path ORDER BY count DESC, path LIMIT 20;

-- name: paths_total
WITH p AS (SELECT session, string_agg(node, ' > ' ORDER BY position) AS path FROM path GROUP BY session)
SELECT count(*) AS sessions, count(DISTINCT path) AS distinct_paths FROM p;

-- name: dropoff
-- (sessions with the node, sessions that end at it, and the exits to expect if only the position mattered)
WITH place AS (SELECT position, count(*) FILTER (next IS NULL) / count(*) AS exit_share FROM path GROUP BY position)
SELECT node, count(DISTINCT session) AS journeys, count(*) FILTER (next IS NULL) AS exits,
       round(count(*) FILTER (next IS NULL) / count(DISTINCT session), 6) AS exit_rate,
       round(sum(exit_share ORDER BY position), 6) AS expected_exits,
       round(count(*) FILTER (next IS NULL) / sum(exit_share ORDER BY position), 6) AS lift
FROM path JOIN place USING (position) GROUP BY node ORDER BY node;

-- name: flow_columns
-- (columns 1 to 10 from the start of the session, repeats collapsed, all nodes)
SELECT position, node, count(*) AS through, count(*) FILTER (position = 1) AS entered,
       count(*) FILTER (next IS NULL) AS dropped, count(*) FILTER (position = 10 AND next IS NOT NULL) AS beyond,
       count(DISTINCT visitor) AS visitors
FROM path WHERE position <= 10 GROUP BY position, node ORDER BY position, node;

-- name: flow_links
-- (`position` is the column in which the link begins)
SELECT position, node AS "from", next AS "to", count(*) AS count, count(DISTINCT visitor) AS visitors
FROM path WHERE position < 10 AND next IS NOT NULL GROUP BY ALL ORDER BY position, node, next;

-- name: funnel_five
-- (visitors, within 7 days of the first step)
FROM funnel('visitor', 'catalog', 'product_view', 'add_to_cart', 'shipping_details', 'purchase', 604800);

-- name: funnel_three
-- (visitors, within 7 days of the first step)
FROM funnel('visitor', 'product_view', 'add_to_cart', 'purchase', NULL, NULL, 604800);

-- name: funnel_five_sessions
-- (sessions, the session is the window)
FROM funnel('session', 'catalog', 'product_view', 'add_to_cart', 'shipping_details', 'purchase', NULL);

-- name: funnel_five_by_platform
-- (a visitor's platform: the first one among all its events that match any step)
WITH touch AS (SELECT visitor AS journey, first(platform ORDER BY t, arrival) AS platform FROM events
               WHERE event IN ('catalog', 'product_view', 'add_to_cart', 'shipping_details', 'purchase') AND platform <> ''
               GROUP BY visitor)
SELECT platform, count(*) FILTER (depth >= 1) AS catalog, count(*) FILTER (depth >= 2) AS product_view,
       count(*) FILTER (depth >= 3) AS add_to_cart, count(*) FILTER (depth >= 4) AS shipping_details,
       count(*) FILTER (depth >= 5) AS purchase
FROM attempts('visitor', 'catalog', 'product_view', 'add_to_cart', 'shipping_details', 'purchase', 604800)
JOIN touch USING (journey) GROUP BY platform ORDER BY platform;

-- name: strict_hop
-- (add_to_cart >> cart: a cart event directly after an add_to_cart event in the same session, every event counted)
SELECT count(DISTINCT session) FILTER (node = 'add_to_cart') AS sessions_step_1,
       count(DISTINCT session) FILTER (node = 'add_to_cart' AND next = 'cart') AS sessions_step_2,
       count(DISTINCT visitor) FILTER (node = 'add_to_cart') AS visitors_step_1,
       count(DISTINCT visitor) FILTER (node = 'add_to_cart' AND next = 'cart') AS visitors_step_2
FROM path_keep;

-- name: abandonment_rules
-- (completed and abandoned by the three purchase rules; per visitor the rule is applied to its whole history)
WITH s AS (SELECT 'cart' AS question, 'session' AS grain, * FROM starters('session', 'add_to_cart')
           UNION ALL SELECT 'cart', 'visitor', * FROM starters('visitor', 'add_to_cart')
           UNION ALL SELECT 'checkout', 'session', * FROM starters('session', 'shipping_details')
           UNION ALL SELECT 'checkout', 'visitor', * FROM starters('visitor', 'shipping_details'))
SELECT question, grain, rule, count(*) AS started, count(*) FILTER (completed) AS completed,
       count(*) FILTER (NOT completed) AS abandoned, round(count(*) FILTER (NOT completed) / count(*), 6) AS rate
FROM s UNPIVOT (completed FOR rule IN (after_first, after_last, anywhere))
GROUP BY ALL ORDER BY question, grain DESC, rule;

-- name: abandonment_sessions
-- (the abandoned sessions by the rule after_first: abandoned = recovered + too_recent + lost)
WITH a AS (SELECT 'cart' AS question, * FROM abandoned('add_to_cart')
           UNION ALL SELECT 'checkout', * FROM abandoned('shipping_details'))
SELECT question, count(*) AS abandoned, count(*) FILTER (recovered) AS recovered, count(*) FILTER (too_recent) AS too_recent,
       count(*) FILTER (NOT recovered AND NOT too_recent) AS lost
FROM a GROUP BY question ORDER BY question;

-- name: abandonment_visitors
-- (visitors by the rule after_first. never_purchased: no purchase at or after the visitor's first start)
WITH a AS (SELECT 'cart' AS question, * FROM abandoned('add_to_cart')
           UNION ALL SELECT 'checkout', * FROM abandoned('shipping_details')),
v AS (SELECT 'cart' AS question, * FROM starters('visitor', 'add_to_cart')
      UNION ALL SELECT 'checkout', * FROM starters('visitor', 'shipping_details')),
p AS (SELECT question, visitor, bool_or(recovered) AS recovered,
             bool_or(EXISTS (FROM events e WHERE e.visitor = a.visitor AND e.event = 'purchase' AND e.t > a.last_t)) AS purchased_later
      FROM a GROUP BY ALL)
SELECT question, count(*) AS started, count(*) FILTER (NOT after_first) AS never_purchased,
       count(p.visitor) AS with_abandoned_session, count(*) FILTER (recovered) AS with_recovered_session,
       count(*) FILTER (p.visitor IS NOT NULL AND purchased_later) AS purchased_after_an_abandoned_session
FROM v LEFT JOIN p USING (question, visitor) GROUP BY question ORDER BY question;

-- name: abandonment_stages
-- (the furthest of add_to_cart, shipping_details, payment_details among the events of an abandoned cart session:
-- at or after its first add_to_cart, and in the whole session)
WITH f AS (
  SELECT a.session, max(CASE e.event WHEN 'payment_details' THEN 3 WHEN 'shipping_details' THEN 2 WHEN 'add_to_cart' THEN 1 END)
                      FILTER (e.t >= a.first_start) AS after_start,
         max(CASE e.event WHEN 'payment_details' THEN 3 WHEN 'shipping_details' THEN 2 WHEN 'add_to_cart' THEN 1 END) AS whole
  FROM abandoned('add_to_cart') a JOIN events e USING (session) GROUP BY a.session
)
SELECT stage, (SELECT count(*) FROM f WHERE after_start = k) AS after_start, (SELECT count(*) FROM f WHERE whole = k) AS whole_session
FROM (VALUES (1, 'add_to_cart'), (2, 'shipping_details'), (3, 'payment_details')) AS s(k, stage) ORDER BY k;

-- name: summary
SELECT (SELECT count(DISTINCT visitor) FROM events) AS visitors, count(*) AS sessions, sum(events)::BIGINT AS events,
       round(count(*) FILTER (purchases > 0) / count(*), 6) AS session_conversion_rate,
       count(*) FILTER (purchases > 0) AS converting_sessions,
       round(count(DISTINCT visitor) FILTER (purchases > 0) / count(DISTINCT visitor), 6) AS visitor_conversion_rate,
       count(DISTINCT visitor) FILTER (purchases > 0) AS converting_visitors, sum(purchases)::BIGINT AS purchases,
       (SELECT round(count(*) FILTER (NOT after_first) / count(*), 6) FROM starters('session', 'shipping_details'))
         AS checkout_abandonment_rate,
       mean(duration_s) AS duration_mean_s, median(duration_s) AS duration_median_s, nearest_rank(duration_s, 90) AS duration_p90_s,
       mean(events) AS events_per_session, round(count(*) FILTER (events = 1) / count(*), 6) AS single_event_rate
FROM sessions;

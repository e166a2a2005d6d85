-- The answers for shop.csv.gz, in DuckDB SQL. Run them with `python3 answers.py`, or in the DuckDB shell from this
-- folder with `.read answers.sql`. Everything before the first "name" line only prepares tables.

SET threads = 1;
SET preserve_insertion_order = true;

-- Events in journey order: by time, then by row in the file. Times are whole seconds without a zone, read as UTC.
-- A session ends where the next event of the visitor comes more than 30 minutes (1,800 s) later.
CREATE OR REPLACE TABLE events AS
WITH log AS (
  SELECT user_id AS visitor, session_id AS given_session, event, platform, acquisition_channel AS channel,
         epoch("timestamp"::TIMESTAMP)::BIGINT AS t, row_number() OVER () AS arrival
  FROM read_csv('shop.csv.gz', header = true, all_varchar = true)
), gaps AS (
  SELECT *, t - lag(t) OVER journey AS gap FROM log WINDOW journey AS (PARTITION BY visitor ORDER BY t, arrival)
), numbered AS (
  SELECT *, count(*) FILTER (gap IS NULL OR gap > 1800) OVER (PARTITION BY visitor ORDER BY t, arrival) AS number
  FROM gaps
)
SELECT visitor, visitor || '/' || number AS session, number, given_session, event, platform, channel, t, arrival FROM numbered;

CREATE OR REPLACE TABLE sessions AS
SELECT visitor, session, count(*) AS events, min(t) AS first_t, max(t) AS last_t, max(t) - min(t) AS duration_s,
       count(*) FILTER (event = 'purchase') AS purchases
FROM events GROUP BY ALL;

-- The facts of each session: what it is on its own and in the life of its visitor, by UTC. The platform is that of its
-- first event that has one. Weekdays count from 1, Monday; weeks are those of ISO 8601.
CREATE OR REPLACE TABLE facts AS
WITH s AS (
  SELECT visitor, session, any_value(number) AS number, count(*) AS events, min(t) AS first_t, max(t) AS last_t,
         count(*) FILTER (event = 'purchase') AS purchases, first(event ORDER BY t, arrival) AS entry_node,
         last(event ORDER BY t, arrival) AS exit_node,
         first(platform ORDER BY t, arrival) FILTER (platform <> '') AS platform,
         last(platform ORDER BY t, arrival) FILTER (platform <> '') AS last_platform
  FROM events GROUP BY ALL
)
SELECT *, last_t - first_t AS duration_s, if(number = 1, 'new', 'returning') AS new_or_returning,
       make_timestamp(first_t * 1000000) AS start, isodow(start) AS weekday, hour(start) AS hour,
       strftime(start, '%Y-%m-%d') AS day, strftime(start, '%G-W%V') AS week,
       strftime(start, '%Y-%m') AS month
FROM s;

-- Wilson's 95 % interval of hits out of n: z is the 97.5 % point of the normal distribution.
CREATE OR REPLACE MACRO z() AS 1.959963984540054;
CREATE OR REPLACE MACRO wilson(hits, n, sign) AS
  round((hits / n + z() * z() / (2 * n) + sign * z() * sqrt(hits / n * (1 - hits / n) / n + z() * z() / (4 * n * n)))
        / (1 + z() * z() / n), 6);

-- The log of mobile phones alone: the events are chosen first, then the sessions are cut.
CREATE OR REPLACE TABLE mobile_events AS
WITH gaps AS (
  SELECT *, t - lag(t) OVER (PARTITION BY visitor ORDER BY t, arrival) AS gap FROM events WHERE platform = 'mobile'
), numbered AS (
  SELECT * REPLACE (count(*) FILTER (gap IS NULL OR gap > 1800) OVER (PARTITION BY visitor ORDER BY t, arrival) AS number)
  FROM gaps
)
SELECT * EXCLUDE gap REPLACE (visitor || '/' || number AS session) FROM numbered;

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
-- that starts last. `grain` is 'visitor' or 'session'; unused steps and an unlimited window are NULL. `log` is the table of
-- events; with `since` and `before` (NULL: no bound) only the first step must lie between them.
CREATE OR REPLACE MACRO attempts_in(log, since, before, grain, s1, s2, s3, s4, s5, within) AS TABLE
WITH e AS (SELECT DISTINCT if(grain = 'session', session, visitor) AS journey, event, t FROM query_table(log)),
c1 AS (SELECT journey, t AS t1, t + coalesce(within, 1000000000000) AS til FROM e
       WHERE event = s1 AND (since IS NULL OR t >= since) AND (before IS NULL OR t < before)),
c2 AS (SELECT *, (SELECT min(t) FROM e WHERE e.journey = c1.journey AND event = s2 AND t >= t1 AND t <= til) AS t2 FROM c1),
c3 AS (SELECT *, (SELECT min(t) FROM e WHERE e.journey = c2.journey AND event = s3 AND t >= t2 AND t <= til) AS t3 FROM c2),
c4 AS (SELECT *, (SELECT min(t) FROM e WHERE e.journey = c3.journey AND event = s4 AND t >= t3 AND t <= til) AS t4 FROM c3),
c5 AS (SELECT *, (SELECT min(t) FROM e WHERE e.journey = c4.journey AND event = s5 AND t >= t4 AND t <= til) AS t5 FROM c4),
chains AS (SELECT journey, [t1, t2, t3, t4, t5] AS times, coalesce(t5, t4, t3, t2, t1) AS last_t,
                  5 - (t2 IS NULL)::INT - (t3 IS NULL)::INT - (t4 IS NULL)::INT - (t5 IS NULL)::INT AS depth FROM c5)
SELECT journey, times, depth FROM chains
QUALIFY row_number() OVER (PARTITION BY journey ORDER BY depth DESC, last_t, times[1] DESC) = 1;

CREATE OR REPLACE MACRO attempts(grain, s1, s2, s3, s4, s5, within) AS TABLE
FROM attempts_in('events', NULL, NULL, grain, s1, s2, s3, s4, s5, within);

-- One row per step: how many journeys reached it, and the times of their reported attempts.
CREATE OR REPLACE MACRO funnel_in(log, since, before, grain, s1, s2, s3, s4, s5, within) AS TABLE
WITH step AS (SELECT unnest([s1, s2, s3, s4, s5]) AS step, unnest([1, 2, 3, 4, 5]) AS k),
reached AS (SELECT step, k, times[k] - times[k - 1] AS previous_s, if(k = 1, NULL, times[k] - times[1]) AS first_s, depth
            FROM step LEFT JOIN attempts_in(log, since, before, grain, s1, s2, s3, s4, s5, within) ON depth >= k
            WHERE step IS NOT NULL)
SELECT k AS number, step, count(depth) AS entered, count(*) FILTER (depth = k) AS stopped_here,
       mean(previous_s) AS from_previous_mean_s, median(previous_s) AS from_previous_median_s,
       nearest_rank(previous_s, 90) AS from_previous_p90_s,
       mean(first_s) AS from_first_mean_s, median(first_s) AS from_first_median_s, nearest_rank(first_s, 90) AS from_first_p90_s
FROM reached GROUP BY k, step ORDER BY k;

CREATE OR REPLACE MACRO funnel(grain, s1, s2, s3, s4, s5, within) AS TABLE
FROM funnel_in('events', NULL, NULL, grain, s1, s2, s3, s4, s5, within);

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
-- (sessions with the node, sessions that end at it, the exits to expect if only the position mattered; sessions that end at it
-- without a purchase, and how many more than were to expect; of the sessions that are there before a first purchase, or
-- without any, the share that purchases)
WITH place AS (
  SELECT position, count(*) FILTER (next IS NULL) / count(*) AS exit_share,
         count(*) FILTER (next IS NULL AND purchases = 0) / count(*) AS drop_share
  FROM path JOIN sessions USING (session) GROUP BY position
), goal AS (
  SELECT p.node, p.session, min(g.position) AS goal, min(p.position) AS first
  FROM path p LEFT JOIN path g ON g.session = p.session AND g.node = 'purchase' GROUP BY ALL
)
SELECT node, count(DISTINCT session) AS journeys, count(*) AS occurrences,
       (SELECT count(*) FROM events WHERE events.event = path.node) AS events, count(*) FILTER (next IS NULL) AS exits,
       round(count(*) FILTER (next IS NULL) / count(DISTINCT session), 6) AS exit_rate,
       round(sum(exit_share ORDER BY position), 6) AS expected_exits,
       round(count(*) FILTER (next IS NULL) / sum(exit_share ORDER BY position), 6) AS lift,
       count(*) FILTER (next IS NULL AND purchases = 0) AS dropped,
       round(dropped - sum(drop_share ORDER BY position), 6) AS excess_drops,
       (SELECT round(count(goal) / nullif(count(*), 0), 6) FROM goal
        WHERE goal.node = path.node AND (goal IS NULL OR goal > first)) AS goal_rate
FROM path JOIN place USING (position) JOIN sessions USING (session) GROUP BY node ORDER BY node;

-- name: dropoff_loops
-- (places where a session goes to another node and comes straight back, by the node that it leaves and comes back to)
WITH p AS (SELECT *, lead(node, 2) OVER (PARTITION BY session ORDER BY position) AS after_next FROM path)
SELECT node, count(*) AS loops, count(DISTINCT session) AS sessions FROM p WHERE after_next = node GROUP BY node ORDER BY node;

-- name: dropoff_repeats
-- (events that repeat the node directly before them in the session)
SELECT node, count(*) AS repeats, count(DISTINCT session) AS sessions
FROM path_keep WHERE next = node GROUP BY node ORDER BY node;

-- name: matrix
-- (the share of sessions at each node by position; sessions that are over stand at "(end)")
WITH cells AS (SELECT position, node, count(*) AS sessions FROM path WHERE position <= 10 GROUP BY ALL),
over AS (SELECT position, '(end)' AS node, (SELECT count(*) FROM sessions) - sum(sessions)::BIGINT AS sessions FROM cells GROUP BY position)
SELECT position, node, sessions, round(sessions / (SELECT count(*) FROM sessions), 6) AS share
FROM (FROM cells UNION ALL FROM over) WHERE sessions > 0 ORDER BY position, node;

-- name: matrix_around
-- (three nodes before and after the first add_to_cart of each session that has one, which stands at 0; nodes only)
WITH anchor AS (SELECT session, min(position) AS anchor FROM path WHERE node = 'add_to_cart' GROUP BY session)
SELECT position - anchor AS position, node, count(*) AS sessions, round(count(*) / (SELECT count(*) FROM anchor), 6) AS share
FROM path JOIN anchor USING (session) WHERE position - anchor BETWEEN -3 AND 3 GROUP BY ALL ORDER BY 1, 2;

-- name: matrix_around_ends
-- (the sessions that have no node at that position, because they begin later or end before)
WITH anchor AS (SELECT session, min(position) AS anchor, any_value(last) AS last FROM path
                JOIN (SELECT session, max(position) AS last FROM path GROUP BY session) USING (session)
                WHERE node = 'add_to_cart' GROUP BY session)
SELECT position, count(*) FILTER (anchor + position NOT BETWEEN 1 AND last) AS sessions,
       round(count(*) FILTER (anchor + position NOT BETWEEN 1 AND last) / count(*), 6) AS share
FROM anchor, (SELECT unnest([-3, -2, -1, 0, 1, 2, 3]) AS position) GROUP BY position ORDER BY position;

-- name: conversion
-- (goal events, sessions and visitors with one, and for sessions from their first event to their first goal event: the time,
-- and the events and the nodes that come before; of all, and by the session's platform)
WITH g AS (
  SELECT goal, e.session, count(*) AS conversions, min(t) AS goal_t, arg_min(arrival, (t, arrival)) AS goal_arrival
  FROM events e JOIN (SELECT unnest(['add_to_cart', 'purchase']) AS goal) ON event = goal GROUP BY ALL
), s AS (
  SELECT goal, f.*, g.conversions, goal_t - first_t AS time_s,
         if(g.conversions > 0, (SELECT count(*) FROM events b WHERE b.session = f.session
                                AND (b.t, b.arrival) < (goal_t, goal_arrival)), NULL) AS before,
         (SELECT min(position) - 1 FROM path p WHERE p.session = f.session AND p.node = goal) AS nodes_before
  FROM facts f CROSS JOIN (SELECT unnest(['add_to_cart', 'purchase']) AS goal) LEFT JOIN g USING (goal, session)
)
SELECT goal, coalesce(platform, '(all)') AS platform, count(*) AS sessions, count(DISTINCT visitor) AS visitors,
       sum(conversions)::BIGINT AS conversions, count(conversions) AS converting_sessions,
       count(DISTINCT visitor) FILTER (conversions > 0) AS converting_visitors,
       round(converting_sessions / sessions, 6) AS session_rate, round(converting_visitors / visitors, 6) AS visitor_rate,
       wilson(converting_sessions, sessions, -1) AS session_low, wilson(converting_sessions, sessions, 1) AS session_high,
       wilson(converting_visitors, visitors, -1) AS visitor_low, wilson(converting_visitors, visitors, 1) AS visitor_high,
       mean(time_s) AS time_mean_s, median(time_s) AS time_median_s, nearest_rank(time_s, 90) AS time_p90_s,
       mean(before) AS events_before_mean, median(before) AS events_before_median, nearest_rank(before, 90) AS events_before_p90,
       mean(nodes_before) AS nodes_before_mean, median(nodes_before) AS nodes_before_median,
       nearest_rank(nodes_before, 90) AS nodes_before_p90
FROM s GROUP BY GROUPING SETS ((goal), (goal, platform)) ORDER BY goal, platform;

-- name: conversion_visitors
-- (for visitors from their first event in the log to their first goal event; before it come the nodes of earlier sessions,
-- and those of the same session)
WITH v AS (
  SELECT goal, visitor, min(t) AS first_t, min(t) FILTER (event = goal) AS goal_t,
         arg_min(arrival, (t, arrival)) FILTER (event = goal) AS goal_arrival, min(number) FILTER (event = goal) AS goal_session
  FROM events, (SELECT unnest(['add_to_cart', 'purchase']) AS goal) GROUP BY ALL
), b AS (
  SELECT goal, goal_t - first_t AS time_s,
         (SELECT count(*) FROM events b WHERE b.visitor = v.visitor AND (b.t, b.arrival) < (goal_t, goal_arrival)) AS before,
         (SELECT count(*) FROM path p JOIN facts f USING (session) WHERE p.visitor = v.visitor AND f.number < goal_session)
         + (SELECT min(position) - 1 FROM path p JOIN facts f USING (session)
            WHERE p.visitor = v.visitor AND f.number = goal_session AND p.node = goal) AS nodes_before
  FROM v WHERE goal_t IS NOT NULL
)
SELECT goal, count(*) AS visitors, mean(time_s) AS time_mean_s, median(time_s) AS time_median_s, nearest_rank(time_s, 90) AS time_p90_s,
       mean(before) AS events_before_mean, median(before) AS events_before_median, nearest_rank(before, 90) AS events_before_p90,
       mean(nodes_before) AS nodes_before_mean, median(nodes_before) AS nodes_before_median,
       nearest_rank(nodes_before, 90) AS nodes_before_p90
FROM b GROUP BY goal ORDER BY goal;

-- name: session_rows
-- (every session's row in a few sums, so that a row that is wrong or stands twice shows; times are seconds of 1970)
SELECT count(*) AS sessions, sum(number)::BIGINT AS numbers, sum(events)::BIGINT AS events, sum(duration_s)::BIGINT AS duration_s,
       sum(duration_s * number)::BIGINT AS duration_times_number, sum(events * number)::BIGINT AS events_times_number,
       sum(first_t % 1000003 * number)::BIGINT AS start_times_number, sum(last_t % 1000003 * events)::BIGINT AS end_times_events,
       sum(first_t % 1000003 * substr(visitor, 6)::BIGINT)::BIGINT AS start_times_visitor
FROM facts;

-- name: sessions_by_fact
-- (sessions, their visitors, events, seconds and purchases by what the session is; all times are UTC)
WITH long AS (
  FROM (SELECT *, number::VARCHAR AS session_number, entry_node AS entry, exit_node AS exit, weekday::VARCHAR AS weekday_number,
               hour::VARCHAR AS hour_of_day, platform AS first_platform FROM facts)
  UNPIVOT (value FOR fact IN (entry, exit, session_number, new_or_returning, weekday_number, hour_of_day, day, week, month,
                              first_platform, last_platform))
)
SELECT fact, value, count(*) AS sessions, count(DISTINCT visitor) AS visitors, sum(events)::BIGINT AS events, sum(duration_s)::BIGINT AS duration_s,
       mean(duration_s) AS duration_mean_s, count(*) FILTER (purchases > 0) AS converting_sessions
FROM long WHERE fact <> 'day' OR value LIKE '2024-03-%' GROUP BY ALL ORDER BY fact, value;

-- name: mobile
-- (the log of mobile phones alone, its sessions cut anew)
SELECT count(DISTINCT visitor) AS visitors, count(DISTINCT session) AS sessions, count(*) AS events,
       (SELECT count(*) FROM events) - count(*) AS filtered FROM mobile_events;

-- name: funnel_five_mobile
-- (visitors, within 7 days, over the events of mobile phones alone)
FROM funnel_in('mobile_events', NULL, NULL, 'visitor', 'catalog', 'product_view', 'add_to_cart', 'shipping_details', 'purchase', 604800);

-- name: funnel_three_mobile_sessions
-- (sessions of mobile phones alone)
FROM funnel_in('mobile_events', NULL, NULL, 'session', 'product_view', 'add_to_cart', 'purchase', NULL, NULL, NULL);

-- name: funnel_three_entered
-- (visitors, within 7 days, entered in March 2024: the first step lies in March, the others may come later)
FROM funnel_in('events', epoch(TIMESTAMP '2024-03-01')::BIGINT, epoch(TIMESTAMP '2024-04-01')::BIGINT, 'visitor',
               'product_view', 'add_to_cart', 'purchase', NULL, NULL, 604800);

-- name: first_long_nodes
-- (the graph of the visitors' first sessions that have at least 5 events)
SELECT node, count(*) AS count, count(DISTINCT session) AS sessions, count(DISTINCT visitor) AS visitors,
       count(*) FILTER (position = 1) AS entries, count(*) FILTER (next IS NULL) AS exits
FROM path JOIN facts f USING (visitor, session) WHERE f.number = 1 AND f.events >= 5 GROUP BY node ORDER BY node;

-- name: first_long_paths
-- (their whole paths)
WITH p AS (SELECT session, string_agg(node, ' > ' ORDER BY position) AS path FROM path JOIN facts f USING (visitor, session)
           WHERE f.number = 1 AND f.events >= 5 GROUP BY session)
SELECT count(*) AS sessions, count(DISTINCT path) AS distinct_paths FROM p;

-- name: first_long_funnel
-- (catalog > product_view > add_to_cart in the same sessions: sessions that reach each step)
SELECT count(*) AS sessions, count(*) FILTER (depth >= 1) AS catalog, count(*) FILTER (depth >= 2) AS product_view,
       count(*) FILTER (depth >= 3) AS add_to_cart
FROM facts LEFT JOIN attempts('session', 'catalog', 'product_view', 'add_to_cart', NULL, NULL, NULL) ON journey = session
WHERE number = 1 AND events >= 5;

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

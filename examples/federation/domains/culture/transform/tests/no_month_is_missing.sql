{{ config(severity='warn') }}
-- Fails for each month between the first and the last in which no library reported.
select m.month::date as month
from generate_series(
    (select min(month) from {{ ref('visits') }}), (select max(month) from {{ ref('visits') }}), interval 1 month
) as m(month)
where m.month::date not in (select month from {{ ref('visits') }})

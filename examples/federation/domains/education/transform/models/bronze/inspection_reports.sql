-- One row a report with the number of its visit and its verdict; words that name people stay behind in raw.
select
    regexp_extract(_origin, 'rapport_(\d{4}-\d{2}-\d{2})', 1) as visit_id,
    count(*) as lines,
    max(regexp_extract(line, 'Conclusion : ([^.]+)', 1)) as conclusion
from {{ current_rows(source('raw', 'inspection_reports')) }}
group by _origin

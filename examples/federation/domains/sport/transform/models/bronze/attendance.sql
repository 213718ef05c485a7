-- Attendance of the last version of each month's workbook.
select
    trim(hall_id) as hall_id,
    trim(name) as name,
    trim(nis_code) as nis_code,
    date_trunc('month', read_on)::date as month,
    school_visits,
    club_visits,
    public_visits,
    occupation_percent
from {{ current_rows(source('raw', 'attendance')) }}

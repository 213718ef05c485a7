-- Attendance of the last version of each workbook; a reading at the end of a month is about that month.
select
    trim(facility_id) as facility_id,
    trim(name) as name,
    trim(nis_code) as nis_code,
    read_on,
    date_trunc('month', read_on)::date as month,
    school_visits,
    club_visits,
    public_visits,
    occupation_percent
from {{ current_rows(source('raw', 'attendance')) }}

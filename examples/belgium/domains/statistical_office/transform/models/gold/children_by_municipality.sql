-- Children of preschool age (2.5 to 5) and primary age (6 to 11), estimated from bands of five years as if each year of age
-- had a fifth of its band: 2.5-4 is half of 0-4, 5 a fifth of 5-9, 6-9 four fifths of 5-9, 10-11 two fifths of 10-14.
select
    nis_code,
    sum(inhabitants)::integer as inhabitants,
    sum(inhabitants * case last_age when 4 then 0.5 when 9 then 0.2 else 0 end)::double as children_preschool_age,
    sum(inhabitants * case last_age when 9 then 0.8 when 14 then 0.4 else 0 end)::double as children_primary_age
from {{ ref('population_2013_of_municipalities') }}
group by nis_code

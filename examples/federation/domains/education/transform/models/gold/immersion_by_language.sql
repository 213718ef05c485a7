-- Pupils who learn in another language, by year and language.
select
    year,
    language,
    count(*)::integer as schools,
    sum(pupils)::integer as pupils,
    round(sum(pupils * hours_per_week) / sum(pupils), 1)::double as hours_per_week
from {{ ref('immersion') }}
group by year, language
order by year, language

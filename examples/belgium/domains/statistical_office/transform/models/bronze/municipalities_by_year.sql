-- The three yearly lists as one.
{% for year in [2018, 2019, 2020] %}
select
    {{ year }} as year,
    trim(nis_code) as nis_code,
    trim(name_fr) as name_fr,
    trim(name_nl) as name_nl,
    trim(province_fr) as province,
    trim(region_fr) as region,
    inhabitants
from {{ current_rows(source('raw', 'municipalities_' ~ year)) }}
{% if not loop.last %}union all{% endif %}
{% endfor %}

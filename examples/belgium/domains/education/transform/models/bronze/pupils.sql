-- Both files of pupils; the first line of each is the total of Wallonia, code 3000.
{% for level in ['preschool', 'primary'] %}
select '{{ level }}' as level, trim(nis_code) as nis_code, trim(name) as name, pupils, trim(nis_code) = '3000' as is_total
from {{ current_rows(source('raw', level ~ '_pupils')) }}
{% if not loop.last %}union all{% endif %}
{% endfor %}

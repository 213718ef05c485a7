-- Every code of every list, with its labels: join by list and code.
select c.list, c.code, c.label_fr, c.label_nl
from {{ ref('listed_codes') }} as c
join {{ ref('code_lists') }} as l using (list)
order by c.list, c.code

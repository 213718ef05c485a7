{{ config(meta={'dagster': {'ref': {'name': 'codes'}}}) }}  {#- the dataset whose check this is -#}
-- Fails for a list that has another number of codes than its keeper says, and for a code that is there twice.
select l.list, l.codes as said, count(c.code) as there
from {{ ref('code_lists') }} as l
left join {{ ref('codes') }} as c using (list)
group by all
having count(c.code) <> l.codes or count(distinct c.code) <> l.codes

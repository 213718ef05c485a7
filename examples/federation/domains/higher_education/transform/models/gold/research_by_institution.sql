-- What each institution got for research and what it published, adult education left out: it does none.
with grants as (
    select institution_id, count(*) as grants, sum(amount_eur) as amount_eur from {{ ref('placed_grants') }} group by institution_id
),

publications as (
    select institution_id, count(*) as publications from {{ ref('placed_publications') }} group by institution_id
)

select
    i.institution_id,
    i.name,
    c.label_fr as institution_type,
    coalesce(g.grants, 0)::integer as grants,
    coalesce(g.amount_eur, 0)::double as amount_eur,
    coalesce(p.publications, 0)::integer as publications
from {{ ref('institutions') }} as i
join {{ source('data_office', 'codes') }} as c on c.list = 'institution_type' and c.code = i.institution_type
left join grants as g using (institution_id)
left join publications as p using (institution_id)
where i.institution_type <> 'adult_education'
order by i.institution_id

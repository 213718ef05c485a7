-- Loans with the province of the library, without names; a loan of somebody who is not registered counts for nobody.
select
    o.loan_id,
    o.borrower_id,
    year(o.lent_on)::integer as year,
    coalesce(m.province, m.region) as province,
    o.medium,
    o.returned_on is not null as is_returned,
    o.returned_on > o.due_on as is_late
from {{ ref('loans') }} as o
join {{ ref('borrowers') }} as b using (borrower_id)
join {{ ref('libraries') }} as l on l.library_id = o.library_id
join {{ source('data_office', 'municipalities') }} as m on m.nis_code = l.nis_code

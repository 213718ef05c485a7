select count(*) as lines from {{ ref('listed_localities') }} having count(*) <> 2799

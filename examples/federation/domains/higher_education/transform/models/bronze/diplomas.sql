-- Diplomas.
select
    diploma_id,
    student_id,
    trim(institution_id) as institution_id,
    lower(trim(study_domain)) as study_domain,
    trim(cycle) as cycle,
    trim(distinction) as distinction,
    awarded_on,
    updated_at
from {{ current_keys(source('raw', 'diplomas'), 'diploma_id') }}

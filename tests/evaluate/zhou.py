"""Lines of what Zhou et al. 2025 publish (EllieZhou1/Seeing_Beyond_the_Scene c82cb72).

RANKS: clip_experiments/action_swap_results/action_swap_results.csv. CHOICES:
llm_experiments/InternVL3-78B_1segments_results.csv. PICTURES:
clip_experiments/three_img_comparison_results/three_img_comparison_results.csv. MIMETICS:
llm_experiments/for_mimetics_mcq/results/InternVL3-8B/8_segments/*_mimetics_mcq_results.csv.
"""

from __future__ import annotations

ROOT = (
    "/n/fs/visualai-scr/temp_LLP/ellie/slowfast_kinetics/dataset/action_swap/original_action_swap/"
)
RANKS = (
    "action_swap_path,frame_num,label_A,label_B,predicted_label,predicted_score,human_a"
    "ction_rank,human_action_score,background_action_rank,background_action_score,human"
    "_top1,human_top5,background_top1,background_top5,background_wins,ranking_gap,score"
    "_gap,top10_predictions\n"
    f"{ROOT}"
    "sample_000000_deadlifting_to_juggling soccer ball_f8dp7wR4GWg_000003_000013_bg_MCV"
    "13GHst20_000002_000012,50,deadlifting,juggling soccer ball,skipping rope,0.5953831"
    "076622009,6,0.031813643872737885,11,0.017855608835816383,False,False,False,False,F"
    "alse,5,-0.013958035036921501,\"['skipping rope', 'dribbling basketball', 'climbing "
    "a rope', 'hurdling', 'shooting goal (soccer)', 'deadlifting', 'clean and jerk', 's"
    "kiing slalom', 'climbing ladder', 'playing basketball']\"\n"
    f"{ROOT}"
    "sample_000012_tying tie_to_drinking_ecNLf37mews_000012_000022_bg_s-vLJUmPmhA_00010"
    "9_000119,50,tying tie,drinking,tying tie,0.9928049445152283,1,0.9928049445152283,1"
    "8,8.266826625913382e-05,True,True,False,False,False,17,-0.9927222762489691,\"['tyin"
    "g tie', 'juggling soccer ball', 'juggling balls', 'playing accordion', 'brushing t"
    "eeth', 'playing piano', 'playing saxophone', 'opening bottle', 'writing', 'skippin"
    "g rope']\"\n"
    f"{ROOT}"
    "sample_000024_dunking basketball_to_flying kite_f0H5AVFMHrg_000000_000010_bg_07xOT"
    "83TIG4_000040_000050,50,dunking basketball,flying kite,flying kite,0.9827579855918"
    "884,14,0.0001268260966753587,1,0.9827579855918884,False,False,True,True,True,-13,0"
    ".9826311594952131,\"['flying kite', 'shooting goal (soccer)', 'juggling balls', 'ju"
    "ggling soccer ball', 'catching or throwing frisbee', 'archery', 'playing volleybal"
    "l', 'skipping rope', 'dribbling basketball', 'sword fighting']\"\n"
)
CHOICES = (
    "action_swap_path,label_A,label_B,choice_1,choice_2,choice_3,choice_4,choice_5,huma"
    "n_choice,background_choice,choice,choice_is_human,choice_is_bg\n"
    f"{ROOT}"
    "sample_000000_deadlifting_to_juggling soccer ball_f8dp7wR4GWg_000003_000013_bg_MCV"
    "13GHst20_000002_000012,deadlifting,juggling soccer ball,brushing hair,bowling,dead"
    "lifting,juggling soccer ball,sword fighting,3,4,D,False,True\n"
    f"{ROOT}"
    "sample_000001_reading book_to_catching or throwing baseball_F6Z0vch07n8_000036_000"
    "046_bg_eECGtFjKTY8_000018_000028,reading book,catching or throwing baseball,skiing"
    " slalom,catching or throwing baseball,dunking basketball,reading book,playing tenn"
    "is,4,2,D,True,False\n"
    f"{ROOT}"
    "sample_000002_dunking basketball_to_flying kite_ePkJVG2MnBg_000009_000019_bg_xPYKP"
    "bEN6Wc_000104_000114,dunking basketball,flying kite,bowling,dunking basketball,pla"
    "ying saxophone,tying tie,flying kite,2,5,B,True,False\n"
    f"{ROOT}"
    "sample_000027_archery_to_climbing a rope_MrI8XlHC4p0_000000_000010_bg_1c17xEdMHns_"
    "000119_000129,archery,climbing a rope,climbing a rope,sweeping floor,flying kite,b"
    "rushing hair,archery,5,1,T,False,False\n"
)
PICTURES = (
    "label,youtube_id,time_start,time_end,frame_num,image_type,correct_ranking,correct_"
    "score,top5,top10,top5_predictions\n"
    "archery,-Qz25rXdMjE,14,24,50,original,1,0.9290456771850586,True,True,\"['archery', "
    "'playing violin', 'climbing a rope', 'sword fighting', 'skipping rope']\"\n"
    "archery,-Qz25rXdMjE,14,24,50,human_only,24,0.0005868027219548821,False,False,\"['ju"
    "ggling balls', 'juggling soccer ball', 'skipping rope', 'playing violin', 'catchin"
    "g or throwing frisbee']\"\n"
    "archery,-Qz25rXdMjE,14,24,50,background_only,2,0.11644690483808517,True,True,\"['cl"
    "imbing a rope', 'archery', 'sword fighting', 'juggling soccer ball', 'juggling bal"
    "ls']\"\n"
)
MIMETICS = (
    "full_path,label,choice_1,choice_2,choice_3,choice_4,choice_5,human_choice,choice,"
    "choice_is_human\n"
    "/n/fs/visualai-scr/Data/Mimetics2/playing guitar/G_3kwIzNN3g_000050_000057,playing guitar,"
    "playing saxophone,hurdling,playing guitar,hitting baseball,punching person (boxing),3,C,True\n"
)
